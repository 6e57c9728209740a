#!/usr/bin/env bash
# Fuzzes the API against its own openapi.json: no server error, and no answer that the document doesn't describe.
#
#   test/schemathesis.sh                         starts an instance of its own, and removes it
#   test/schemathesis.sh --url http://host:3000  uses one that runs, with the demo users of `npm start`
#
# --max-examples N (10) how many requests are made up for each operation, --max-time SECONDS (150) when to stop making
# them up, --seed N to repeat a run, --as USER (yunus) which demo user asks: ops sees what customers don't. What it
# found, with a curl for each, is printed; exit code 1 when there is anything.
set -euo pipefail
cd "$(dirname "$0")/.."

url='' max_examples=10 max_time=150 seed='' as=yunus
while [ $# -gt 0 ]; do
  case $1 in
    --url) url=$2 ;;
    --max-examples) max_examples=$2 ;;
    --max-time) max_time=$2 ;;
    --seed) seed=$2 ;;
    --as) as=$2 ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 2 ;;
  esac
  shift 2
done

version=4.32.5
venv=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast/schemathesis-$version
if [ ! -x "$venv/bin/st" ]; then
  echo "Installing schemathesis $version into $venv (once)"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

work=$(mktemp -d) up=''
chmod 711 "$work" # as root, Postgres runs as a user who has to get in
stop() {
  # By its pid, and only ours; it stops what it started.
  if [ -n "$up" ]; then kill "$up" 2>/dev/null && wait "$up" || true; fi
  rm -rf "$work"
}
trap stop EXIT

if [ -z "$url" ]; then
  [ -f dist/cli/main.js ] || { echo 'dist/ is missing: npm run build' >&2; exit 1; }
  export HOLDFAST_DATA_DIR=$work/data HOLDFAST_ENV_FILE=/dev/null LOG_LEVEL=warn HOLDFAST_RATE_LIMITS=none
  export PORT=0 HOLDFAST_TEMPORAL_PORT=0 HOLDFAST_TEMPORAL_UI_PORT=0 HOLDFAST_POSTGRES_PORT=0
  node dist/cli/main.js up >"$work/up.log" 2>&1 &
  up=$!
  for _ in $(seq 600); do
    grep -q 'Ctrl-C stops it' "$work/up.log" && break
    kill -0 "$up" 2>/dev/null || { cat "$work/up.log" >&2; exit 1; }
    sleep 0.2
  done
  url=$(grep -o 'http://localhost:[0-9]*/docs' "$work/up.log" | head -1 | sed 's|/docs||')
fi

token_of() {
  curl -sS --fail-with-body -H 'content-type: application/json' \
    -d "{\"username\":\"$1\",\"password\":\"$1-demo\"}" "$url/v1/sessions" | sed 's/.*"accessToken":"\([^"]*\)".*/\1/'
}
token=$(token_of "$as")
# Money to move, or every transfer would be refused.
curl -sS --fail-with-body -o /dev/null -H "Authorization: Bearer $(token_of house)" -H 'content-type: application/json' \
  -H "Idempotency-Key: fuzz-$$-$RANDOM" -d '{"from":"house.SGD","to":"yunus.SGD","amount":"1000.00"}' "$url/v1/transfers"

# Made-up names are nobody's wallet: mostly, it is told some that are there.
cat >"$work/schemathesis.toml" <<'TOML'
[dictionaries.own]
values = ["yunus.SGD", "yunus.JPY"]
[dictionaries.wallets]
values = ["nick.SGD", "nick.JPY", "andrew.SGD", "yunus.SGD", "nobody_there.SGD"]
[dictionaries.amounts]
values = ["1", "0.01", "12.50", "999999999"]
[parameters]
"path.walletId" = { dictionary = "wallets", probability = 0.5 }
"body.from" = { dictionary = "own", probability = 0.8 }
"body.to" = { dictionary = "wallets", probability = 0.8 }
"body.amount" = { dictionary = "amounts", probability = 0.8 }
"body.transfers[*].from" = { dictionary = "own", probability = 0.8 }
"body.transfers[*].to" = { dictionary = "wallets", probability = 0.8 }
"body.transfers[*].amount" = { dictionary = "amounts", probability = 0.8 }
TOML

cd "$work" # its caches and reports go where we clean up
"$venv/bin/st" --config-file schemathesis.toml run "$url/openapi.json" \
  --header "Authorization: Bearer $token" \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance \
  --max-examples "$max_examples" --max-time "$max_time" --continue-on-failure --no-color \
  --exclude-operation-id endSession --exclude-operation-id endSessions `# it would sign itself out` \
  --request-timeout 30 --suppress-health-check all ${seed:+--seed "$seed"}

#!/usr/bin/env bash
# Fuzzes the API against its own openapi.json, in every role: no server error, and no answer that the document doesn't
# describe.
#
#   test/schemathesis.sh                         starts an instance of its own, and removes it
#   test/schemathesis.sh --url http://host:3000  uses the one that `npm start` runs from this clone
#
# --as ROLE one role alone: customer, ops, auditor, admin, or key (an API key for all that a key may, of somebody who has
# every role), --max-examples N (10) how many requests are made up for each operation, --max-time SECONDS (150) when to
# stop making them up, for each role, --seed N to repeat a run. What it found, with a curl for each, is printed; exit code
# 1 when there is anything.
set -euo pipefail
cd "$(dirname "$0")/.."

url='' max_examples=10 max_time=150 seed='' as='customer ops auditor admin key'
while [ $# -gt 0 ]; do
  case $1 in
    --url) url=$2 ;;
    --max-examples) max_examples=$2 ;;
    --max-time) max_time=$2 ;;
    --seed) seed=$2 ;;
    --as) as=$2 ;;
    *) sed -n '2,13s/^# \{0,1\}//p' "$0" && exit 2 ;;
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

bank=http://localhost:3100
[ -f dist/cli/main.js ] || { echo 'dist/ is missing: npm run build' >&2; exit 1; }
if [ -z "$url" ]; then
  export HOLDFAST_DATA_DIR=$work/data HOLDFAST_ENV_FILE=/dev/null LOG_LEVEL=warn HOLDFAST_RATE_LIMITS=none
  export PORT=0 HOLDFAST_BANK_PORT=0 HOLDFAST_TEMPORAL_PORT=0 HOLDFAST_TEMPORAL_UI_PORT=0 HOLDFAST_POSTGRES_PORT=0
  # What is stuck is to be soon; and without such a key there is nothing to decode.
  export HOLDFAST_ATTENTION_AFTER_MS=3000 HOLDFAST_PAYLOAD_KEYS="fuzz:$(head -c 32 /dev/zero | base64)"
  node dist/cli/main.js up >"$work/up.log" 2>&1 &
  up=$!
  for _ in $(seq 600); do
    grep -q 'Ctrl-C stops it' "$work/up.log" && break
    kill -0 "$up" 2>/dev/null || { cat "$work/up.log" >&2; exit 1; }
    sleep 0.2
  done
  url=$(grep -o 'http://localhost:[0-9]*/docs' "$work/up.log" | head -1 | sed 's|/docs||')
  bank=$(sed -n 's|^ *Bank simulator *\(http[^ ]*\).*|\1|p' "$work/up.log" | head -1)
fi

ask() { # METHOD PATH TOKEN [BODY]
  local answer
  answer=$(curl -sS --fail-with-body -X "$1" "$url$2" -H "Authorization: Bearer $3" \
    -H "Idempotency-Key: fuzz-$$-$RANDOM-$RANDOM" ${4:+-H 'content-type: application/json' -d "$4"}) ||
    { echo "$1 $2 $4: $answer" >&2 && return 1; }
  printf '%s' "$answer"
}
at_bank() { # METHOD PATH BODY
  curl -sS --fail-with-body -o /dev/null -X "$1" "$bank$2" -H 'content-type: application/json' -d "$3"
}
member() { # .name, of the JSON it reads
  node -p "JSON.parse(require('fs').readFileSync(0, 'utf8'))$1"
}
signed_in() { # USERNAME, whose password is as that of a demo user
  ask POST /v1/sessions '' "{\"username\":\"$1\",\"password\":\"$1-demo\"}" | member .accessToken
}
person() { # USERNAME ROLE...: there already, or made now
  local who="\"username\":\"$1\",\"password\":\"$1-demo\",\"name\":\"Fuzz\",\"email\":\"$1@example.com\""
  curl -sS -o /dev/null "$url/v1/users" -H 'content-type: application/json' -d "{$who}"
  node dist/cli/main.js roles "$@"
  signed_in "$1"
}
withdraw() { # AMOUNT
  ask POST /v1/withdrawals "$payer" "{\"wallet\":\"fuzz_payer.SGD\",\"amount\":\"$1\",\"bankAccount\":\"$account\"}" | member .id
}

# Nobody whom the document's examples name: what is tried on those may end them.
house=$(signed_in house) ops=$(person fuzz_ops ops) payer=$(person fuzz_payer customer)
for currency in SGD JPY; do ask POST /v1/wallets "$payer" "{\"currency\":\"$currency\"}" >/dev/null; done
account=$(ask POST /v1/bank-accounts "$payer" '{"holder":"Fuzz","number":"12345678","bankCode":"TESTSGSG"}' | member .id)
spare_key=$(ask POST /v1/api-keys "$payer" '{"name":"spare","scopes":["wallets:read"],"expiresInDays":1}' | member .id)
until [ "$(ask GET "/v1/bank-accounts/$account" "$payer" | member .status)" = verified ]; do sleep 0.5; done

# Transactions at every stage, and what else has an id: made-up ones are nobody's.
furnish() {
  at_bank PUT /faults '{"faults":[]}'
  local sent deposit approval=() corrected=() stuck=()
  sent=$(ask POST /v1/transfers "$house" '{"from":"house.SGD","to":"fuzz_payer.SGD","amount":"50000.00"}' | member .id)
  deposit=$(ask POST /v1/deposits "$payer" "{\"wallet\":\"fuzz_payer.SGD\",\"amount\":\"1.00\",\"bankAccount\":\"$account\"}" | member .id)
  for _ in 1 2 3; do
    approval+=("$(withdraw 10000.00)")
    corrected+=("$(ask POST /v1/ops/adjustments "$ops" '{"wallet":"fuzz_payer.SGD","amount":"1.00","reason":"fuzz"}' | member .id)")
  done
  at_bank PUT /faults '{"faults":[{"name":"outage"}]}'
  for _ in 1 2 3; do stuck+=("$(withdraw 1.00)"); done
  at_bank PUT /faults "{\"faults\":[$(printf '{"name":"outage","reference":"%s"},' "${stuck[@]}" | sed 's/,$//')]}"
  at_bank POST /v1/virtual-credits '{"virtualAccount":"8800001","amountMinor":"500","currency":"SGD","payer":"Nobody We Know"}'
  ask POST /v1/ops/reconciliations "$ops" >/dev/null
  sleep 5
  transactions=$(listed "$sent" "$deposit" "${approval[@]}" "${corrected[@]}" "${stuck[@]}")
  event=$(ask GET /v1/ops/inbox "$ops" | member '.data[0]?.eventId ?? "none"')
  reconciliation=$(ask GET /v1/ops/reconciliations "$ops" | member '.data[0]?.id ?? "none"')
}
listed() { printf '"%s",' "$@" | sed 's/,$//'; }

fuzz() { # TOKEN OWNER
  cat >"$work/schemathesis.toml" <<TOML
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]
[dictionaries.own]
values = ["$2.SGD", "$2.JPY"]
[dictionaries.wallets]
values = ["nick.SGD", "nick.JPY", "andrew.SGD", "$2.SGD", "nobody_there.SGD"]
[dictionaries.amounts]
values = ["1", "0.01", "12.50", "-1", "999999999"]
[dictionaries.people]
values = ["nick", "andrew", "nobody_there"]
[dictionaries.transactions]
values = [$transactions]
[dictionaries.accounts]
values = ["$account"]
[dictionaries.keys]
values = ["$spare_key"]
[dictionaries.events]
values = ["$event"]
[dictionaries.reconciliations]
values = ["$reconciliation"]
[dictionaries.subjects]
values = ["nick", "nick.SGD", $transactions]
[dictionaries.emails]
values = ["nick@example.com"]
[parameters]
"path.walletId" = { dictionary = "wallets", probability = 0.7 }
"path.transactionId" = { dictionary = "transactions", probability = 0.8 }
"path.username" = { dictionary = "people", probability = 0.8 }
"path.bankAccountId" = { dictionary = "accounts", probability = 0.5 }
"path.apiKeyId" = { dictionary = "keys", probability = 0.5 }
"path.eventId" = { dictionary = "events", probability = 0.5 }
"path.reconciliationId" = { dictionary = "reconciliations", probability = 0.5 }
"query.wallet" = { dictionary = "own", probability = 0.5 }
"query.actor" = { dictionary = "subjects", probability = 0.5 }
"query.subject" = { dictionary = "subjects", probability = 0.5 }
"body.wallet" = { dictionary = "wallets", probability = 0.8 }
"body.bankAccount" = { dictionary = "accounts", probability = 0.8 }
"body.email" = { dictionary = "emails", probability = 0.3 }
"body.from" = { dictionary = "own", probability = 0.8 }
"body.to" = { dictionary = "wallets", probability = 0.8 }
"body.amount" = { dictionary = "amounts", probability = 0.8 }
"body.transfers[*].from" = { dictionary = "own", probability = 0.8 }
"body.transfers[*].to" = { dictionary = "wallets", probability = 0.8 }
"body.transfers[*].amount" = { dictionary = "amounts", probability = 0.8 }
TOML
  # Its caches and reports go where we clean up.
  (cd "$work" && "$venv/bin/st" --config-file schemathesis.toml run "$url/openapi.json" \
    --header "Authorization: Bearer $1" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance \
    --max-examples "$max_examples" --max-time "$max_time" --continue-on-failure --no-color \
    --exclude-operation-id endSession --exclude-operation-id endSessions `# it would sign itself out` \
    --request-timeout 40 --suppress-health-check all --warnings off ${seed:+--seed "$seed"})
}

key_of_everybody() {
  local keeper scopes
  keeper=$(person fuzz_keeper customer ops auditor admin)
  ask POST /v1/wallets "$keeper" '{"currency":"SGD"}' >/dev/null
  ask POST /v1/transfers "$house" '{"from":"house.SGD","to":"fuzz_keeper.SGD","amount":"1000.00"}' >/dev/null
  scopes=$(curl -sS "$url/openapi.json" | member '.components.schemas.NewApiKey.properties.scopes.items.enum.map(JSON.stringify).join()')
  ask POST /v1/api-keys "$keeper" "{\"name\":\"all\",\"scopes\":[$scopes],\"expiresInDays\":1}" | member .key
}

failed=''
for role in $as; do
  echo "--- as $role ---"
  case $role in
    customer) token=$payer owner=fuzz_payer ;;
    ops) token=$ops owner=nick ;;
    key) token=$(key_of_everybody) owner=fuzz_keeper ;;
    auditor | admin) token=$(person "fuzz_$role" "$role") owner=nick ;;
    *) echo "There is no role $role" >&2 && exit 2 ;;
  esac
  furnish
  fuzz "$token" "$owner" || failed="$failed $role"
done
if grep 'starting it again' "$work/up.log" 2>/dev/null; then failed="$failed, and a process ended"; fi
if [ -n "$failed" ]; then echo "Failures as:$failed" && exit 1; fi
echo 'No failure, in any role.'

#!/bin/sh
# Makes the namespace that Holdfast works in, once the server answers, and the search attributes that its workflows have.
# Safe to run again. It runs in temporalio/admin-tools and reads TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and
# TEMPORAL_RETENTION. Schedules are made by Holdfast's workers.
set -eu

# How long closed workflows can still be looked at. The books need none of them.
retention=${TEMPORAL_RETENTION:-7d}
# All of type Keyword. Workers look after them, too; but an API may start the first workflow before a worker is there.
attributes='HoldfastTransactionId HoldfastType HoldfastStatus HoldfastReason HoldfastCurrency'

# A server that has only just started, or only just made a namespace, needs a moment.
patiently() {
  tries=60
  until "$@"; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
      echo "Temporal does not answer at $TEMPORAL_ADDRESS." >&2
      exit 1
    fi
    sleep 1
  done
}

patiently temporal operator cluster health

# Named on the command line: these commands take no notice of the variable.
if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  echo "The namespace $TEMPORAL_NAMESPACE is there already."
else
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$retention"
fi

known() { temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE"; }
patiently known >/dev/null
for name in $attributes; do
  if ! known | grep -qw "$name"; then
    temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type Keyword
  fi
done

#!/bin/sh
# Makes the namespace that Holdfast works in, once the server answers. Safe to run again. It runs in temporalio/admin-tools
# and reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE. Search attributes and schedules are made by Holdfast's workers.
set -eu

# How long closed workflows can still be looked at. The books need none of them.
retention=7d

tries=60
until temporal operator cluster health; do
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then
    echo "Temporal does not answer at $TEMPORAL_ADDRESS." >&2
    exit 1
  fi
  sleep 1
done

# Named on the command line: these commands take no notice of the variable.
if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  echo "The namespace $TEMPORAL_NAMESPACE is there already."
else
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$retention"
fi

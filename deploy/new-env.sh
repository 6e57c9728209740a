#!/bin/sh
# Prints a new .env for docker-compose.yml: every secret that it demands, made here and now. Run it once: a second one opens
# nothing that was sealed under the first, and knows none of its databases' passwords.
set -eu

password() { openssl rand -hex 24; } # they stand in URLs
key() { openssl rand -base64 32; }

cat <<ENV
POSTGRES_ADMIN_PASSWORD=$(password)
POSTGRES_OWNER_PASSWORD=$(password)
POSTGRES_APP_PASSWORD=$(password)
POSTGRES_TEMPORAL_PASSWORD=$(password)
POSTGRES_BANK_PASSWORD=$(password)
GRAFANA_ADMIN_PASSWORD=$(password)
HOLDFAST_BANK_API_KEY=$(key)
HOLDFAST_BANK_WEBHOOK_SECRETS=$(key)
HOLDFAST_TOKEN_KEY=$(key)
HOLDFAST_COMMAND_KEY=$(key)
HOLDFAST_SEAL_KEYS=first:$(key)
ENV

#!/bin/sh
# Makes the two databases of a Temporal server on Postgres, and brings their schema up to date. Safe to run again: what is
# there already stays. It runs in temporalio/admin-tools, of the same version as the server. Settings are SQL_* variables.
set -eu

schema=${TEMPORAL_SCHEMA_DIR:-/etc/temporal/schema/postgresql/v12}

prepare() { # <database> <its schema folder>
  temporal-sql-tool --db "$1" create
  temporal-sql-tool --db "$1" setup-schema -v 0.0
  temporal-sql-tool --db "$1" update-schema -d "$schema/$2/versioned"
}

prepare temporal temporal
prepare temporal_visibility visibility
echo "Temporal's databases are up to date."

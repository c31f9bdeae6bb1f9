#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
set -Eeuo pipefail

# The value of a setting, or the content of the file that NAME_FILE names.
setting() {
    local file="$1_FILE"
    if [ -n "${!file:-}" ]; then cat "${!file}"; else printf '%s' "${!1:-$2}"; fi
}

create_cluster() {
    local user password database socket=/var/run/postgresql
    user=$(setting POSTGRES_USER postgres)
    password=$(setting POSTGRES_PASSWORD '')
    database=$(setting POSTGRES_DB "$user")
    local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$password" ] && [ "$method" != trust ]; then
        echo >&2 "postgres: neither POSTGRES_PASSWORD nor POSTGRES_PASSWORD_FILE is set; the superuser of a new cluster needs one"
        exit 1
    fi
    # shellcheck disable=SC2086  # the caller's options are several words
    initdb --username="$user" --pwfile=<(printf '%s\n' "$password") --auth-local=trust --data-checksums ${POSTGRES_INITDB_ARGS:-}
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses='' -p 5432" start
    local psql=(psql -v ON_ERROR_STOP=1 --no-psqlrc --host="$socket" --username="$user")
    if [ "$database" != postgres ]; then
        "${psql[@]}" --dbname=postgres --set=db="$database" <<<'CREATE DATABASE :"db";'
    fi
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
            *.sh) bash "$script" ;;
            *.sql) "${psql[@]}" --dbname="$database" --file="$script" ;;
        esac
    done
    pg_ctl --wait --mode=fast stop
}

if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
if [ "$1" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA"
        chmod 700 "$PGDATA"
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
        exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
    fi
    if [ ! -s "$PGDATA/PG_VERSION" ]; then create_cluster; fi
fi
exec "$@"

#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
set -e
case "$1" in
    -* | *.conf) set -- redis-server "$@" ;;
esac
# Protected mode would refuse the other containers; the caller configures a password or the network instead.
if [ "$1" = redis-server ]; then
    shift
    set -- redis-server --protected-mode no "$@"
    case "$4" in
        *.conf) file=$4; shift 4; set -- redis-server "$file" "$@" ;;
    esac
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis '{}' +
        exec setpriv --reuid=redis --regid=redis --init-groups --no-new-privs "$@"
    fi
fi
exec "$@"

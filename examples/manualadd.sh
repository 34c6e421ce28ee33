#!/bin/sh
# MANUALADD: a membership added by hand. Here without a password in clear, as with the switch MEMBERS_NO_UNENCRYPTED of NATS:
# a cryptpass comes alone, and the password `testtest` opens the door.
#
# Type:          sh examples/manualadd.sh URL
# with the URL that `nats-userman serve` printed, or with that URL in $NATS_POSTBACK_URL:
#                sh examples/manualadd.sh
#
# Comes back:
#   OK|member 72 "alice" added to site 1
set -eu
url=${1:-${NATS_POSTBACK_URL:?give the URL, or set NATS_POSTBACK_URL}}

curl -sS -w '\n' \
    --data-urlencode 'action=MANUALADD' \
    --data-urlencode 'siteid=1' \
    --data-urlencode 'memberid=72' \
    --data-urlencode 'username=alice' \
    --data-urlencode 'cryptpass=41R19prsa7NLQ' \
    --data-urlencode 'trial=0' \
    "$url"

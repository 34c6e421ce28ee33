#!/bin/sh
# MANUALADD: a membership added by hand. This one has no password in clear, as with NATS's switch
# MEMBERS_NO_UNENCRYPTED: it has a cryptpass only. The password `testtest` fits it.
#
# Run it with the URL that `nats-userman serve` printed:
#   sh examples/manualadd.sh URL
# or with that URL in the variable NATS_POSTBACK_URL:
#   sh examples/manualadd.sh
#
# Replies:
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

#!/bin/sh
# CHANGE: a new username and a new password.
#
# Run it with the URL that `nats-userman serve` printed:
#   sh examples/change.sh URL
# or with that URL in the variable NATS_POSTBACK_URL:
#   sh examples/change.sh
#
# Replies:
#   OK|member 71 "rob" changed on site 1
set -eu
url=${1:-${NATS_POSTBACK_URL:?give the URL, or set NATS_POSTBACK_URL}}

curl -sS -w '\n' \
    --data-urlencode 'action=CHANGE' \
    --data-urlencode 'siteid=1' \
    --data-urlencode 'memberid=71' \
    --data-urlencode 'username=bob' \
    --data-urlencode 'new_username=rob' \
    --data-urlencode 'new_password=correct horse battery staple' \
    "$url"

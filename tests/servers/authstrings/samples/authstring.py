import os
import requests

url = os.environ['NATS_URL'] + '/api/member/authstring'
params = {
    'type': 'instantupgrade',
    'memberid': '342',
    'session': 'd2877c3303d01165f780f63bd9da3620',
}
headers = {
    'api-key': '44b5498dbcb481a0d00b404c0169af62',
    'api-username': 'tmm1phrvezsbu',
}
res = requests.get(url, params=params, headers=headers)
print(res.json())

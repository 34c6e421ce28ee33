import os
import requests

url = os.environ['NATS_URL'] + '/api/member/tokenrebuystring'
params = {
    'username': 'testakovsky2',
    'siteid': '1',
}
headers = {
    'api-key': '44b5498dbcb481a0d00b404c0169af62',
    'api-username': 'tmm1phrvezsbu',
}
res = requests.get(url, params=params, headers=headers)
print(res.json())

// TMM's sample uses the module `request`, which its authors have given up; fetch has taken its place.
const query = new URLSearchParams({
    'type': 'instantupgrade',
    'memberid': '342',
    'session': 'd2877c3303d01165f780f63bd9da3620',
});
const response = await fetch(process.env.NATS_URL + '/api/member/authstring?' + query, {
    headers: {
        'api-key': '44b5498dbcb481a0d00b404c0169af62',
        'api-username': 'tmm1phrvezsbu',
    },
});
console.log(await response.json());

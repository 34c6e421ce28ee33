<?php
// A receiver as sites have it, for the tests of `try`. It keeps its members in a file.
$file = __DIR__ . '/members.json';
$members = file_exists($file) ? json_decode(file_get_contents($file), true) : [];
$fields = $_REQUEST;
$action = $fields['action'] ?? '';
$member = $fields['memberid'] ?? '';
$name = $fields['username'] ?? '';
if ($action === '') {
    echo 'nothing to do here';
    return;
}
switch ($action) {
    case 'CHECK':
        $is_taken = in_array($name, $members, true);
        $reply = $is_taken ? 'OK|taken' : 'NOTOK|free';
        break;
    case 'ADD':
    case 'MANUALADD':
    case 'ACTIVATE':
        $members[$member] = $name;
        $reply = 'OK|member added';
        break;
    case 'CHANGE':
        $members[$member] = $fields['new_username'] ?? $name;
        $reply = 'OK|member changed';
        break;
    case 'TRIALTOFULL':
        $reply = 'OK|full member';
        break;
    case 'EXPIRE':
        if (strtotime($fields['expire']) <= time()) {
            unset($members[$member]);
        }
        $reply = 'OK|expiry noted';
        break;
    case 'DELETE':
        unset($members[$member]);
        $reply = 'OK|member removed';
        break;
    default:
        $reply = 'ERROR|unknown action';
}
file_put_contents($file, json_encode($members));
echo $reply;

<?php
// A link to UpgradePlus for the member who looks at this page. In the environment of PHP (php-fpm: env[USERMAN_URL] = ...):
// USERMAN_URL, as in http://127.0.0.1:8080; USERMAN_API_USERNAME and USERMAN_API_KEY; JOIN_URL, NATS's domain for members.
// The web server says who it is, as examples/members-nginx.conf and members.Caddyfile do. (A variable HTTP_X_MEMBER_NAME would be
// what a visitor sent.)
$username = rawurldecode($_SERVER['MEMBER_NAME'] ?? '');
$site = $_SERVER['MEMBER_SITE'] ?? '';

$ask = ['type' => 'instantupgrade', 'username' => $username, 'siteid' => $site];
$curl = curl_init(getenv('USERMAN_URL') . '/api/member/authstring?' . http_build_query($ask));
curl_setopt_array($curl, [
    CURLOPT_HTTPHEADER => [
        'api-username: ' . getenv('USERMAN_API_USERNAME'),
        'api-key: ' . getenv('USERMAN_API_KEY'),
    ],
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_TIMEOUT => 12, // longer than --nats-seconds
]);
$answer = json_decode((string) curl_exec($curl), true);
if (isset($answer['error'])) {
    error_log('no authstring: ' . $answer['error']);
}
$string = $answer['result'] ?? '';

if ($string !== '') {
    $link = ['site' => $site, 'username' => $username, 'authstring' => $string];
    $url = getenv('JOIN_URL') . '/signup/upgradeplus.php?' . http_build_query($link);
    echo '<p><a href="', htmlspecialchars($url), '">Become a full member</a></p>', "\n";
} else {
    echo '<p>Upgrades are not possible just now.</p>', "\n";
}

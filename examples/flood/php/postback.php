<?php
// What the load generator compares with: a script that does the work of nats-userman for an ADD, in
// one transaction for each postback, on the same tables. It is written to be fast: the connection
// is kept, each statement is one round trip, and the password is sealed in place of a slow hash.
// It decides less than nats-userman, and knows no other action.

declare(strict_types=1);

const SEAL_KEY = 'flood-flood-flood-flood-flood-fl';

function answer(string $line): never
{
    header('Content-Type: text/plain; charset=utf-8');
    header('Content-Length: ' . strlen($line));
    exit($line);
}

function sealed(string $password, string $siteid, string $memberid): string
{
    $nonce = random_bytes(24);
    $padded = str_pad($password, 64, "\0");
    $bound = "$siteid/$memberid";
    return $nonce
        . sodium_crypto_aead_xchacha20poly1305_ietf_encrypt($padded, $bound, $nonce, SEAL_KEY);
}

if (($_POST['action'] ?? '') !== 'ADD') {
    answer('ERROR|action is not ADD');
}
['siteid' => $siteid, 'memberid' => $memberid, 'username' => $username] = $_POST;
// Of ASCII names alone.
$folded = strtolower(trim($username));
$key = [$siteid, $memberid];

$db = new PDO(getenv('FLOOD_DSN'), getenv('FLOOD_USER'), getenv('FLOOD_PASSWORD'), [
    PDO::ATTR_PERSISTENT => true,
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    PDO::ATTR_EMULATE_PREPARES => true,
    // REPEATABLE READ locks the gaps where new rows belong, and most transactions deadlock.
    PDO::MYSQL_ATTR_INIT_COMMAND => 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
]);
$run = function (string $sql, array $values) use ($db): PDOStatement {
    $statement = $db->prepare($sql);
    $statement->execute($values);
    return $statement;
};
$seal = sealed($_POST['password'], $siteid, $memberid);
$session = hash('sha256', $_POST['session'] ?? '', true);
$now = time();
$kept = $_POST;
foreach (['password', 'cryptpass', 'session'] as $secret) {
    if (isset($kept[$secret])) {
        $kept[$secret] = '***';
    }
}

try {
    $db->beginTransaction();
    $here = $run('SELECT * FROM member_auth WHERE siteid = ? AND memberid = ? FOR UPDATE', $key)
        ->fetch();
    $former = $run('SELECT * FROM former_member WHERE siteid = ? AND memberid = ? FOR UPDATE', $key)
        ->fetch();
    $holder = $run(
        'SELECT memberid FROM member_auth WHERE username_key = ? AND siteid = ? FOR UPDATE',
        [$folded, $siteid],
    )->fetchColumn();
    if ($holder !== false && (string) $holder !== $memberid) {
        $line = "ERROR|username \"$username\" is held by member $holder of site $siteid";
    } else {
        $line = "OK|member $memberid \"$username\" added to site $siteid";
        if ($former !== false) {
            $run('DELETE FROM former_member WHERE siteid = ? AND memberid = ?', $key);
        }
        if ($here !== false) {
            $run('DELETE FROM member_auth WHERE siteid = ? AND memberid = ?', $key);
        }
        $run(
            'INSERT INTO member_auth (siteid, memberid, username, username_sent, username_key,
                 email, trial, biller, session_sha256, joined, expires, sealed)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
            [
                $siteid, $memberid, $username, $username, $folded, $_POST['email'] ?? null,
                (int) ($_POST['trial'] ?? 0), $_POST['memberidx'] ?? null, $session,
                (int) ($_POST['joined'] ?? 0), (int) ($_POST['expires'] ?? 0), $seal,
            ],
        );
    }
    $number = $run('SELECT MAX(seq) FROM journal WHERE siteid = ? AND memberid = ?', $key)
        ->fetchColumn();
    $run(
        "INSERT INTO journal (at, source, address, action, siteid, memberid, username, fields,
             reply, session_sha256, sealed, seq, batch, waiting)
         VALUES (?, 'nats', ?, 'ADD', ?, ?, ?, ?, ?, ?, ?, ?, 0, 1)",
        [
            $now, $_SERVER['REMOTE_ADDR'], $siteid, $memberid, $username,
            http_build_query($kept), $line, $session, $seal, (int) $number + 1,
        ],
    );
    $db->commit();
} catch (PDOException $error) {
    if ($db->inTransaction()) {
        $db->rollBack();
    }
    http_response_code(503);
    answer('ERROR|' . $error->getCode());
}
answer($line);

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_nats_userman_global_optspecs
    string join \n config= listen= public-url= data-dir= database= postback-token= postback-token-file= allow-ip= allow-ip-file= trusted-proxy= trusted-proxy-file= time-zone= expire-grace-hours= clock-jump-minutes= password-hash= keep-cryptpass stale-guard journal-days= no-upgrade-copy log= log-format= database-read= database-password= database-password-file= database-tls= database-tls-ca= ops-listen= ops-token-file= alarm-command= alarm-url= alarm-url-file= alarm-error-percent= alarm-silence-postbacks= alarm-backlog= alarm-backup-age= alarm-disk-mib= alarm-differences= backup-every= backup-dir= backup-keep= backup-with-keys fastcgi-listen= login-hours= login-stay-hours= login-by-email login-idle-minutes= login-days= cookie-domain= login-limit-pair= login-limit-network= login-limit-name= login-window-minutes= login-block-minutes= sharing= sharing-networks= sharing-minutes= sharing-at-once= sharing-country-file= sharing-countries= sharing-block-minutes= sharing-ipv4-prefix= sharing-ipv6-prefix= sharing-exempt-member= sharing-exempt-network= sites-file= site-name= site-logo= site-accent= site-background= site-dark-accent= site-dark-background= site-language= forgot-password-url= join-url= support-url= upgrade-url= login-template= api-key= api-key-file= nats-url= nats-api-username= nats-api-key= nats-api-key-file= nats-ca= nats-seconds= nats-report-logins= nats-report-hours= reconcile-every= stand-in stand-in-minutes= h/help V/version
end

function __fish_nats_userman_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_nats_userman_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_nats_userman_using_subcommand
    set -l cmd (__fish_nats_userman_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c nats-userman -n "__fish_nats_userman_needs_command" -l config -d 'Configuration file in TOML; /dev/null for none [default: /etc/nats-userman/nats-userman.toml if it exists]' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l listen -d 'Address and port to listen on; port 0 takes a free one' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l public-url -d 'Base of the URL that NATS calls, as in https://members.example.com [default: http://<listen>]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l data-dir -d 'Directory of the database, the keys and the token; /var/lib/nats-userman while /etc/nats-userman/nats-userman.toml is in use' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l database -d 'Database: sqlite:PATH, or mysql://USER@HOST[:PORT][,HOST...]/DATABASE for MariaDB and MySQL, whose hosts are tried in their order [default: sqlite:<data-dir>/userman.db]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l postback-token -d 'Token in the URL, at least 32 characters of A-Z a-z 0-9 _ -; repeatable, for rotation; replaces the tokens of the data directory [default: created at the first start]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l postback-token-file -d 'File with tokens, one a line' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l allow-ip -d 'Network that may call /postback; repeatable [default: any]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l allow-ip-file -d 'File with networks that may call /postback, one a line' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l trusted-proxy -d 'Proxy whose X-Forwarded-For header is trusted; repeatable [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l trusted-proxy-file -d 'File with trusted proxies, one a line' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l time-zone -d 'Time zone of the dates in EXPIRE, as in Europe/Berlin' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l expire-grace-hours -d 'Hours of access that remain after the date of an EXPIRE' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l clock-jump-minutes -d 'Minutes that a jump of the system clock must last before members are moved and old records removed by it' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l password-hash -d 'How passwords are hashed: argon2id, or bcrypt for an Apache that reads the table' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l journal-days -d 'Days that journal records are kept [default: for ever]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l log -d 'Log level: error, warn, info, debug, trace or off; also per module, as in info,writer=debug' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l log-format -d 'Format of log lines: text or json' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l database-read -d 'Host that serves reads, with its port; repeatable, and tried in their order [default: the hosts of --database]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l database-password -d 'Password of the user in --database' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l database-password-file -d 'File with the password of the user in --database' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l database-tls -d 'Encryption of connections to the database: required or off; with --database-tls-ca it is required [default: off for loopback addresses, otherwise required]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l database-tls-ca -d 'File with PEM certificates to trust for the database, beside the public authorities' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l ops-listen -d 'Address and port of the operations listener, with health, metrics and the console; if another program has it, the service runs without them [default: off]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l ops-token-file -d 'File with tokens for /metrics and /health of the operations listener, one a line; programs of this machine need none' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l alarm-command -d 'Program that gets each alarm as JSON on its standard input, with its arguments after blanks, as in /usr/local/bin/alarm --to ops; no shell reads it' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l alarm-url -d 'URL to which each alarm is posted as JSON' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l alarm-url-file -d 'File with the URL to which each alarm is posted' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l alarm-error-percent -d 'Alarm if more than this percentage of the postbacks of an hour was answered with ERROR; 0 for no such alarm' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l alarm-silence-postbacks -d 'Alarm if a site is silent in a time in which it usually sends at least this many postbacks; 0 for no such alarm' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l alarm-backlog -d 'Alarm if more credentials than this wait to be hashed and become no fewer; 0 for no such alarm' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l alarm-backup-age -d 'Alarm if the newest backup is older than this, as in 36h [default: twice --backup-every]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l alarm-disk-mib -d 'Alarm if the disk of the database has less room than this, in MiB; 0 for no such alarm' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l alarm-differences -d 'Alarm if --reconcile-every finds this many members that differ from NATS\'s list; 0 for no such alarm' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l backup-every -d 'Back up the database this often while the service runs, as in 24h, 90m or 7d [default: never]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l backup-dir -d 'Directory of the backups, which must exist [default: <data-dir>/backups, which `serve` creates]' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l backup-keep -d 'How many backups stay in the directory when the service has made one; 0 keeps all' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l fastcgi-listen -d 'Address and port of the FastCGI authorizer, for Apache; port 0 takes a free one [default: off]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-hours -d 'Hours that a login from the login page lasts' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-stay-hours -d 'Hours that a login with a tick at "Stay logged in" lasts; 0 shows no such box. With the box, other logins end when the browser is closed, and after --login-hours' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-idle-minutes -d 'Inactivity timeout of logins from the login page, in minutes; 0 disables it' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-days -d 'Days that logins, failed logins and logouts stay in the record, which `member show` prints; 0 records nothing' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l cookie-domain -d 'Domain whose hosts share logins, as in example.com; repeatable, and the longest one that matches a host applies [default: each host has its own logins]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-limit-pair -d 'Different wrong passwords for one username from one network that block this pair; 0 disables it' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-limit-network -d 'Different wrong passwords from one network that block it; 0 disables it' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-limit-name -d 'Different wrong passwords for one username that block it, except for networks from which this member has logged in before; 0 disables it' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-window-minutes -d 'Minutes within which wrong passwords are counted' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-block-minutes -d 'Minutes that a block lasts' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing -d 'What happens to a member whose login is used from too many networks: off counts nothing, log writes a line, block also keeps the member out for a while' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing-networks -d 'The most networks of a member within the period; 0 disables the limit' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing-minutes -d 'The period, in minutes' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing-at-once -d 'The most networks of a member at once, within five minutes; 0 disables the limit' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing-country-file -d 'File of countries in MaxMind\'s format, as GeoLite2-Country.mmdb [default: none, countries are not counted]' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing-countries -d 'The most countries of a member within the period, with --sharing-country-file; 0 disables the limit [default: 4]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing-block-minutes -d 'Minutes that a member is blocked' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing-ipv4-prefix -d 'Length of the IPv4 prefix that counts as one network' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing-ipv6-prefix -d 'Length of the IPv6 prefix that counts as one network' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing-exempt-member -d 'Member who is never counted, as SITEID/MEMBERID; repeatable' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sharing-exempt-network -d 'Address or network that is never counted, as an office; repeatable' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l sites-file -d 'TOML file with the settings of this section for single sites and hosts, and with words of your own [default: none]' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l site-name -d 'Name of the site on its pages [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l site-logo -d 'Logo of the site: a picture of at most 32 KiB, or a URL with https:// [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l site-accent -d 'Colour of buttons and links, as in #0b5cad [default: blue]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l site-background -d 'Colour of the background [default: white]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l site-dark-accent -d 'Colour of buttons and links in dark mode [default: --site-accent, else light blue]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l site-dark-background -d 'Colour of the background in dark mode [default: nearly black]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l site-language -d 'Language of pages: en, de, fr, es, it, nl, pl, pt, cs or ja [default: the visitor\'s]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l forgot-password-url -d 'Link to a new password, with {siteid} for the site, as in https://join.example.com/signup/password.php?siteid={siteid} [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l join-url -d 'Link to the page where visitors become members [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l support-url -d 'Link to help, also as in mailto:help@example.com [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l upgrade-url -d 'Page of NATS where a member on trial becomes a full member, with {siteid}, {username} and {authstring}; needs --nats-url or --stand-in [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-template -d 'HTML file of your own page, with {{form}} in it [default: a plain page]' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l api-key -d 'Key for requests to /api; site=SITEID and ip=CIDR after it, separated by spaces, restrict it; repeatable' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l api-key-file -d 'File with API keys, one a line' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l nats-url -d 'URL of NATS, the source of authstrings, as in https://nats.example.com' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l nats-api-username -d 'api-username of this service at NATS' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l nats-api-key -d 'api-key that belongs to --nats-api-username' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l nats-api-key-file -d 'File with the api-key for NATS' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l nats-ca -d 'File with PEM certificates to trust for NATS, in place of the default ones' -r -F
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l nats-seconds -d 'Total timeout of a request to NATS, in seconds' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l nats-report-logins -d 'Where logins of members are reported to NATS: no, recordlogin (POST /api/member/recordlogin), login (POST /api/member/login, its later name) or loginlog (GET /member_loginlog.php, of older versions)' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l nats-report-hours -d 'Hours within which a member\'s logins are reported to NATS once; 0 reports each' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l reconcile-every -d 'Compare the members with NATS\'s list of active members this often while the service runs, as in 24h, 90m or 7d, and log a warning if they differ [default: never]' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l stand-in-minutes -d 'Minutes that an authstring of --stand-in is valid' -r
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l keep-cryptpass -d 'Keep NATS\'s cryptpass in its column, for an Apache that reads it (a weak hash: only where you need it)'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l stale-guard -d 'Ignore a DELETE, an EXPIRE or a trial flag whose `stamp` is older than that of the member\'s last change. If NATS sets `stamp` otherwise than assumed, a person who has left still gets in'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l no-upgrade-copy -d 'Upgrade an older database without keeping a copy of it first'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l backup-with-keys -d 'Save the keys and the tokens beside each backup that the service makes'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l login-by-email -d 'Let members log in with their e-mail address too, where no other member of the site has it'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -l stand-in -d 'Generate authstrings without NATS, to develop a members area; never use it on a live site'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -s V -l version -d 'Print version'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "replay" -d 'Apply captured postbacks to the database, or send them to a URL with --to'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "try" -d 'Play NATS against a receiver at its URL with a test member, and say what is wrong'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "import" -d 'Import members of another program from a file or a MySQL table, also while the service runs'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "journal" -d 'List or export journal records'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "export" -d 'Write all members into a file, once or whenever they change: CSV, JSON lines or .htpasswd'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "reconcile" -d 'Compare the members with NATS\'s list of active members, and mend the differences'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "member" -d 'Show, list, remove, restore, export or forget members, end their logins, or set a password or an expiry'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "operator" -d 'Add, list or remove operators of the console, or set their passwords'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "token" -d 'Show, add or retire tokens of the URL'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "key" -d 'Show the keys of passwords and logins, or rotate them while the service runs'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "block" -d 'List or lift login blocks'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "sharing" -d 'List members whose login several people seem to use, or let one in again'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "authstring" -d 'Request an authstring, which authorises a link to NATS, from NATS or a running nats-userman'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "alarm" -d 'Test the way of alarms to the operator'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "backup" -d 'Back up the database, also while the service runs'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "restore" -d 'Put a backup in the place of the database, while the service is stopped; the former files are renamed, not deleted'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "migrate-store" -d 'Copy a database to another location, of SQLite, MariaDB or MySQL, while no service uses them'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "set-wal-aside" -d 'Set aside the WAL of another database that was left beside a restored backup; it is renamed, not deleted'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "health" -d 'Ask the running service whether it can commit a postback; ends with exit code 0 or 1'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "config" -d 'Print each setting with its origin: flag, variable, line of the configuration file, default'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "check-config" -d 'Check the settings and what they name, and the whole database; `config` prints where each setting comes from'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "doctor" -d 'Check the service, its database and its machine, and say what to do about what is wrong'
complete -c nats-userman -n "__fish_nats_userman_needs_command" -f -a "serve" -d 'Run the service; the first start creates the data directory, keys, token and database'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand replay" -l to -d 'Send the postbacks to this URL instead, in order' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand replay" -l dry-run -d 'Show replies and changes, and change nothing'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand replay" -l journal -d 'The files are journals; the database must be empty'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand replay" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand try" -l site -d 'siteid to send, where a receiver accepts only its own sites [default: one that NATS does not use]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand try" -l wait -d 'Seconds to wait for each answer' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand try" -l ca -d 'File with root certificates in PEM form, for a receiver whose certificate no public authority has signed' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand try" -l json -d 'Print the result as a JSON object'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand try" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l from -d 'Database of MariaDB or MySQL whose table is imported instead of a file: mysql://USER@HOST[:PORT]/DATABASE; it is only read' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l from-password -d 'Password of the user in --from' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l from-password-file -d 'File with the password of the user in --from' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l from-tls -d 'Encryption of the connection to --from: required or off; with --from-tls-ca it is required [default: off for loopback addresses, otherwise required]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l from-tls-ca -d 'File with PEM certificates to trust for --from, beside the public authorities' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l format -d 'Format of the file: csv, tsv, jsonl, htpasswd, mysql-dump or mysql-batch [default: recognised by the first line]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l map -d 'Name that a column has in the source, as in cryptpass=pass; repeatable' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l table -d 'Table of --from [default: member_auth], or of a MySQL dump where several have members' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l site -d 'siteid of the rows that have none; rows of another site are refused' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l expect-count -d 'Import nothing unless the source has this number of rows' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l dry-run -d 'Say what would be refused and changed, and change nothing'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -l json -d 'Print JSON lines: an object for each refused row, and one with the counts'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand import" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand journal" -l site -d 'Only this siteid' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand journal" -l member -d 'Only this memberid' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand journal" -l username -d 'Only this username' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand journal" -l action -d 'Only this action' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand journal" -l reply -d 'Only replies with this word: OK, NOTOK or ERROR' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand journal" -l since -d 'Only from this time on: YYYY-MM-DD, "YYYY-MM-DD hh:mm:ss" (in --time-zone) or unix seconds' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand journal" -l until -d 'Only before this time' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand journal" -l json -d 'Print one JSON object a line, with the stored forms of credentials, for `replay --journal`'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand journal" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand export" -l format -d 'Form of the file' -r -f -a "csv\t'CSV with a header line, mode 0600'
jsonl\t'One JSON object a line, mode 0600'
htpasswd\t'`name:hash` lines for web servers, of members with a bcrypt hash'"
complete -c nats-userman -n "__fish_nats_userman_using_subcommand export" -l output -d 'File to write; an existing one is replaced as a whole, and keeps its owner and group' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand export" -l site -d 'Only this siteid; an .htpasswd can hold one site' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand export" -l former -d 'Also former members, with the columns reason and ended_at'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand export" -l watch -d 'Keep the file current until SIGTERM or SIGINT'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand export" -l dry-run -d 'Read and count, and write nothing'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand export" -l json -d 'Print the result as a JSON object'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand reconcile" -l site -d 'Only this siteid; repeatable [default: the sites of the list; with --from-nats, those of the members here]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand reconcile" -l max-changes -d 'With --apply, change nothing if more members than this would be changed: a number, or a percentage of the members here' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand reconcile" -l list-time -d 'When NATS made the list: members who have changed since are left out. YYYY-MM-DD, "YYYY-MM-DD hh:mm:ss" (in --time-zone) or unix seconds [default: a quarter of an hour before the file was written]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand reconcile" -l from-nats -d 'Request the list from NATS\'s REST API (--nats-url, --nats-api-username and --nats-api-key)'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand reconcile" -l apply -d 'Mend what differs: remove who is not active at NATS, restore former members, add who comes with a credential, change names and trial flags'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand reconcile" -l allow-many -d 'With --apply, change also more members than --max-changes says'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand reconcile" -l dry-run -d 'With --apply, say what would be changed, and change nothing'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand reconcile" -l json -d 'Print JSON objects: one for each difference and refused row, and the counts at the end'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand reconcile" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -f -a "show" -d 'Show members: whether they get in now and why not, their last logins, and their journal records'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -f -a "list" -d 'List members'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -f -a "conflicts" -d 'List members who were not let in because another member held the name, and from when the postback would succeed'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -f -a "remove" -d 'Remove a member, as a DELETE does'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -f -a "restore" -d 'Restore a former member with the kept credential, as an ACTIVATE does; or all who expired because of a wrong clock'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -f -a "expiry" -d 'Let a membership end at another time, or never. NATS\'s next EXPIRE sets another end, and its next ADD or ACTIVATE removes it'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -f -a "password" -d 'Set the password of a member, which ends their logins: typed twice on a terminal, or one line of standard input. Set it in NATS too, whose next postback with a password replaces it'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -f -a "export" -d 'Print all that is stored of a member as a JSON object, for a request of that person; of a password only the form'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -f -a "forget" -d 'Remove all that is stored of a member: row, journal records, logins, networks and blocks; this cannot be undone'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and not __fish_seen_subcommand_from show list conflicts remove restore expiry password export forget logout" -f -a "logout" -d 'End the logins of a member, or of all members with --all; they can log in again with their passwords'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from list" -l site -d 'Only this siteid' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from list" -l former -d 'List former members'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from conflicts" -l site -d 'Only this siteid' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from conflicts" -l json -d 'Print one JSON object a line'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from conflicts" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from restore" -l username -d 'New username, where another member has the old one' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from restore" -l lapsed-early -d 'Restore all members whose expiry is still ahead: they expired because the clock was wrong. Correct the clock first. With SITE, those of that site'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from expiry" -l dry-run -d 'Say what would be changed, and change nothing'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from expiry" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from password" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from forget" -l yes -d 'Do not ask'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from forget" -l dry-run -d 'Say what would be removed, and change nothing'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from forget" -l json -d 'Print the result as a JSON object'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from logout" -l all -d 'End the logins of all members, as after the restore of a backup, which brings back logins that were ended since'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand member; and __fish_seen_subcommand_from logout" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand operator; and not __fish_seen_subcommand_from add list password remove" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand operator; and not __fish_seen_subcommand_from add list password remove" -f -a "add" -d 'Add an operator; the password is typed twice on a terminal, or is one line of standard input'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand operator; and not __fish_seen_subcommand_from add list password remove" -f -a "list" -d 'List the operators'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand operator; and not __fish_seen_subcommand_from add list password remove" -f -a "password" -d 'Set the password of an operator, and end their sessions'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand operator; and not __fish_seen_subcommand_from add list password remove" -f -a "remove" -d 'Remove an operator, and end their sessions'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand operator; and __fish_seen_subcommand_from add" -l role -d 'What they may do: support or admin' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand operator; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand operator; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand operator; and __fish_seen_subcommand_from password" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand operator; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand token; and not __fish_seen_subcommand_from show add retire" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand token; and not __fish_seen_subcommand_from show add retire" -f -a "show" -d 'Show the tokens; on a terminal as whole URLs'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand token; and not __fish_seen_subcommand_from show add retire" -f -a "add" -d 'Create another token, for rotation: paste the new URL into NATS, then retire the old token'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand token; and not __fish_seen_subcommand_from show add retire" -f -a "retire" -d 'Retire a token: it is no longer accepted'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand token; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand token; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand token; and __fish_seen_subcommand_from retire" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand key; and not __fish_seen_subcommand_from list prepare rotate forget" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand key; and not __fish_seen_subcommand_from list prepare rotate forget" -f -a "list" -d 'Show the keys by their ids, and which of them write and read'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand key; and not __fish_seen_subcommand_from list prepare rotate forget" -f -a "prepare" -d 'Draw the next key, which only reads until `rotate`'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand key; and not __fish_seen_subcommand_from list prepare rotate forget" -f -a "rotate" -d 'Make the next key the current one, which writes; the one before it still reads'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand key; and not __fish_seen_subcommand_from list prepare rotate forget" -f -a "forget" -d 'Remove the key of before the rotation'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand key; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand key; and __fish_seen_subcommand_from prepare" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand key; and __fish_seen_subcommand_from rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand key; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand block; and not __fish_seen_subcommand_from list lift" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand block; and not __fish_seen_subcommand_from list lift" -f -a "list" -d 'List the current blocks'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand block; and not __fish_seen_subcommand_from list lift" -f -a "lift" -d 'Lift the blocks of a username, of a network, or all'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand block; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand block; and __fish_seen_subcommand_from lift" -l name -d 'Blocks of this username' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand block; and __fish_seen_subcommand_from lift" -l network -d 'Blocks of this address or network, and of wider networks that contain it' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand block; and __fish_seen_subcommand_from lift" -l all -d 'All blocks'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand block; and __fish_seen_subcommand_from lift" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand sharing; and not __fish_seen_subcommand_from list lift" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand sharing; and not __fish_seen_subcommand_from list lift" -f -a "list" -d 'List the members with the most networks within the period, and those who are blocked, with their networks and times'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand sharing; and not __fish_seen_subcommand_from list lift" -f -a "lift" -d 'Let a member in again who is blocked because of sharing'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand sharing; and __fish_seen_subcommand_from list" -l most -d 'The most members of each kind' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand sharing; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand sharing; and __fish_seen_subcommand_from lift" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand authstring" -l type -d 'Purpose of the string: upsell, tokenrebuy, instantupgrade, packageupgrade, cancel or signupplus' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand authstring" -l username -d 'Username of the member; needs --site' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand authstring" -l site -d 'siteid, or several with commas: the first one that has this username is used' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand authstring" -l member -d 'memberid, instead of --username; needs --session or --session-file' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand authstring" -l session -d 'The member\'s session at NATS, a secret: other users of this machine can see it here, so prefer --session-file' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand authstring" -l session-file -d 'File with the member\'s session' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand authstring" -l tokenrebuystring -d 'Request the older resource, tokenrebuystring, which has no type'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand authstring" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand alarm; and not __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand alarm; and not __fish_seen_subcommand_from test" -f -a "test" -d 'Send a test message to --alarm-command and --alarm-url, and say what happened'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand alarm; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand backup" -l keep -d 'Then remove older backups from the directory, so that this many stay; no other file is touched' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand backup" -l with-keys -d 'Save the keys and the tokens too, in a second file that only its owner can read'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand backup" -l json -d 'Print the result as a JSON object'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand backup" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand restore" -l keys -d 'The file of its keys [default: the one beside the backup that ends in .keys, if there is one]' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand restore" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand migrate-store" -l from -d 'Database to copy, as --database takes it; it is not changed' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand migrate-store" -l to -d 'New database, as --database takes it: a file that does not exist yet, or an empty database of a server; one that an interrupted copy has begun is continued' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand migrate-store" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand set-wal-aside" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand health" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand config" -l json -d 'Print JSON'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand config" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand check-config" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand doctor" -l json -d 'Print JSON, with names that do not change'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand doctor" -l quick -d 'Do not read the database for damaged pages'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand doctor" -l full -d 'Read the whole database for damaged pages, however long it takes [default: for at most 20 seconds]'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l config -d 'Configuration file in TOML; /dev/null for none [default: /etc/nats-userman/nats-userman.toml if it exists]' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l listen -d 'Address and port to listen on; port 0 takes a free one' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l public-url -d 'Base of the URL that NATS calls, as in https://members.example.com [default: http://<listen>]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l data-dir -d 'Directory of the database, the keys and the token; /var/lib/nats-userman while /etc/nats-userman/nats-userman.toml is in use' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l database -d 'Database: sqlite:PATH, or mysql://USER@HOST[:PORT][,HOST...]/DATABASE for MariaDB and MySQL, whose hosts are tried in their order [default: sqlite:<data-dir>/userman.db]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l postback-token -d 'Token in the URL, at least 32 characters of A-Z a-z 0-9 _ -; repeatable, for rotation; replaces the tokens of the data directory [default: created at the first start]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l postback-token-file -d 'File with tokens, one a line' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l allow-ip -d 'Network that may call /postback; repeatable [default: any]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l allow-ip-file -d 'File with networks that may call /postback, one a line' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l trusted-proxy -d 'Proxy whose X-Forwarded-For header is trusted; repeatable [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l trusted-proxy-file -d 'File with trusted proxies, one a line' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l time-zone -d 'Time zone of the dates in EXPIRE, as in Europe/Berlin' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l expire-grace-hours -d 'Hours of access that remain after the date of an EXPIRE' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l clock-jump-minutes -d 'Minutes that a jump of the system clock must last before members are moved and old records removed by it' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l password-hash -d 'How passwords are hashed: argon2id, or bcrypt for an Apache that reads the table' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l journal-days -d 'Days that journal records are kept [default: for ever]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l log -d 'Log level: error, warn, info, debug, trace or off; also per module, as in info,writer=debug' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l log-format -d 'Format of log lines: text or json' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l database-read -d 'Host that serves reads, with its port; repeatable, and tried in their order [default: the hosts of --database]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l database-password -d 'Password of the user in --database' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l database-password-file -d 'File with the password of the user in --database' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l database-tls -d 'Encryption of connections to the database: required or off; with --database-tls-ca it is required [default: off for loopback addresses, otherwise required]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l database-tls-ca -d 'File with PEM certificates to trust for the database, beside the public authorities' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l ops-listen -d 'Address and port of the operations listener, with health, metrics and the console; if another program has it, the service runs without them [default: off]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l ops-token-file -d 'File with tokens for /metrics and /health of the operations listener, one a line; programs of this machine need none' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l alarm-command -d 'Program that gets each alarm as JSON on its standard input, with its arguments after blanks, as in /usr/local/bin/alarm --to ops; no shell reads it' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l alarm-url -d 'URL to which each alarm is posted as JSON' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l alarm-url-file -d 'File with the URL to which each alarm is posted' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l alarm-error-percent -d 'Alarm if more than this percentage of the postbacks of an hour was answered with ERROR; 0 for no such alarm' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l alarm-silence-postbacks -d 'Alarm if a site is silent in a time in which it usually sends at least this many postbacks; 0 for no such alarm' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l alarm-backlog -d 'Alarm if more credentials than this wait to be hashed and become no fewer; 0 for no such alarm' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l alarm-backup-age -d 'Alarm if the newest backup is older than this, as in 36h [default: twice --backup-every]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l alarm-disk-mib -d 'Alarm if the disk of the database has less room than this, in MiB; 0 for no such alarm' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l alarm-differences -d 'Alarm if --reconcile-every finds this many members that differ from NATS\'s list; 0 for no such alarm' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l backup-every -d 'Back up the database this often while the service runs, as in 24h, 90m or 7d [default: never]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l backup-dir -d 'Directory of the backups, which must exist [default: <data-dir>/backups, which `serve` creates]' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l backup-keep -d 'How many backups stay in the directory when the service has made one; 0 keeps all' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l fastcgi-listen -d 'Address and port of the FastCGI authorizer, for Apache; port 0 takes a free one [default: off]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-hours -d 'Hours that a login from the login page lasts' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-stay-hours -d 'Hours that a login with a tick at "Stay logged in" lasts; 0 shows no such box. With the box, other logins end when the browser is closed, and after --login-hours' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-idle-minutes -d 'Inactivity timeout of logins from the login page, in minutes; 0 disables it' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-days -d 'Days that logins, failed logins and logouts stay in the record, which `member show` prints; 0 records nothing' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l cookie-domain -d 'Domain whose hosts share logins, as in example.com; repeatable, and the longest one that matches a host applies [default: each host has its own logins]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-limit-pair -d 'Different wrong passwords for one username from one network that block this pair; 0 disables it' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-limit-network -d 'Different wrong passwords from one network that block it; 0 disables it' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-limit-name -d 'Different wrong passwords for one username that block it, except for networks from which this member has logged in before; 0 disables it' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-window-minutes -d 'Minutes within which wrong passwords are counted' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-block-minutes -d 'Minutes that a block lasts' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing -d 'What happens to a member whose login is used from too many networks: off counts nothing, log writes a line, block also keeps the member out for a while' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing-networks -d 'The most networks of a member within the period; 0 disables the limit' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing-minutes -d 'The period, in minutes' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing-at-once -d 'The most networks of a member at once, within five minutes; 0 disables the limit' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing-country-file -d 'File of countries in MaxMind\'s format, as GeoLite2-Country.mmdb [default: none, countries are not counted]' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing-countries -d 'The most countries of a member within the period, with --sharing-country-file; 0 disables the limit [default: 4]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing-block-minutes -d 'Minutes that a member is blocked' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing-ipv4-prefix -d 'Length of the IPv4 prefix that counts as one network' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing-ipv6-prefix -d 'Length of the IPv6 prefix that counts as one network' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing-exempt-member -d 'Member who is never counted, as SITEID/MEMBERID; repeatable' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sharing-exempt-network -d 'Address or network that is never counted, as an office; repeatable' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l sites-file -d 'TOML file with the settings of this section for single sites and hosts, and with words of your own [default: none]' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l site-name -d 'Name of the site on its pages [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l site-logo -d 'Logo of the site: a picture of at most 32 KiB, or a URL with https:// [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l site-accent -d 'Colour of buttons and links, as in #0b5cad [default: blue]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l site-background -d 'Colour of the background [default: white]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l site-dark-accent -d 'Colour of buttons and links in dark mode [default: --site-accent, else light blue]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l site-dark-background -d 'Colour of the background in dark mode [default: nearly black]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l site-language -d 'Language of pages: en, de, fr, es, it, nl, pl, pt, cs or ja [default: the visitor\'s]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l forgot-password-url -d 'Link to a new password, with {siteid} for the site, as in https://join.example.com/signup/password.php?siteid={siteid} [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l join-url -d 'Link to the page where visitors become members [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l support-url -d 'Link to help, also as in mailto:help@example.com [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l upgrade-url -d 'Page of NATS where a member on trial becomes a full member, with {siteid}, {username} and {authstring}; needs --nats-url or --stand-in [default: none]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-template -d 'HTML file of your own page, with {{form}} in it [default: a plain page]' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l api-key -d 'Key for requests to /api; site=SITEID and ip=CIDR after it, separated by spaces, restrict it; repeatable' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l api-key-file -d 'File with API keys, one a line' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l nats-url -d 'URL of NATS, the source of authstrings, as in https://nats.example.com' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l nats-api-username -d 'api-username of this service at NATS' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l nats-api-key -d 'api-key that belongs to --nats-api-username' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l nats-api-key-file -d 'File with the api-key for NATS' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l nats-ca -d 'File with PEM certificates to trust for NATS, in place of the default ones' -r -F
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l nats-seconds -d 'Total timeout of a request to NATS, in seconds' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l nats-report-logins -d 'Where logins of members are reported to NATS: no, recordlogin (POST /api/member/recordlogin), login (POST /api/member/login, its later name) or loginlog (GET /member_loginlog.php, of older versions)' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l nats-report-hours -d 'Hours within which a member\'s logins are reported to NATS once; 0 reports each' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l reconcile-every -d 'Compare the members with NATS\'s list of active members this often while the service runs, as in 24h, 90m or 7d, and log a warning if they differ [default: never]' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l stand-in-minutes -d 'Minutes that an authstring of --stand-in is valid' -r
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l keep-cryptpass -d 'Keep NATS\'s cryptpass in its column, for an Apache that reads it (a weak hash: only where you need it)'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l stale-guard -d 'Ignore a DELETE, an EXPIRE or a trial flag whose `stamp` is older than that of the member\'s last change. If NATS sets `stamp` otherwise than assumed, a person who has left still gets in'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l no-upgrade-copy -d 'Upgrade an older database without keeping a copy of it first'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l backup-with-keys -d 'Save the keys and the tokens beside each backup that the service makes'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l login-by-email -d 'Let members log in with their e-mail address too, where no other member of the site has it'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -l stand-in -d 'Generate authstrings without NATS, to develop a members area; never use it on a live site'
complete -c nats-userman -n "__fish_nats_userman_using_subcommand serve" -s h -l help -d 'Print help'

_nats__userman() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="nats__userman"
                ;;
            nats__userman,alarm)
                cmd="nats__userman__subcmd__alarm"
                ;;
            nats__userman,authstring)
                cmd="nats__userman__subcmd__authstring"
                ;;
            nats__userman,backup)
                cmd="nats__userman__subcmd__backup"
                ;;
            nats__userman,block)
                cmd="nats__userman__subcmd__block"
                ;;
            nats__userman,check-config)
                cmd="nats__userman__subcmd__check__subcmd__config"
                ;;
            nats__userman,config)
                cmd="nats__userman__subcmd__config"
                ;;
            nats__userman,doctor)
                cmd="nats__userman__subcmd__doctor"
                ;;
            nats__userman,export)
                cmd="nats__userman__subcmd__export"
                ;;
            nats__userman,health)
                cmd="nats__userman__subcmd__health"
                ;;
            nats__userman,import)
                cmd="nats__userman__subcmd__import"
                ;;
            nats__userman,journal)
                cmd="nats__userman__subcmd__journal"
                ;;
            nats__userman,key)
                cmd="nats__userman__subcmd__key"
                ;;
            nats__userman,member)
                cmd="nats__userman__subcmd__member"
                ;;
            nats__userman,migrate-store)
                cmd="nats__userman__subcmd__migrate__subcmd__store"
                ;;
            nats__userman,operator)
                cmd="nats__userman__subcmd__operator"
                ;;
            nats__userman,reconcile)
                cmd="nats__userman__subcmd__reconcile"
                ;;
            nats__userman,replay)
                cmd="nats__userman__subcmd__replay"
                ;;
            nats__userman,restore)
                cmd="nats__userman__subcmd__restore"
                ;;
            nats__userman,serve)
                cmd="nats__userman__subcmd__serve"
                ;;
            nats__userman,set-wal-aside)
                cmd="nats__userman__subcmd__set__subcmd__wal__subcmd__aside"
                ;;
            nats__userman,sharing)
                cmd="nats__userman__subcmd__sharing"
                ;;
            nats__userman,token)
                cmd="nats__userman__subcmd__token"
                ;;
            nats__userman,try)
                cmd="nats__userman__subcmd__try"
                ;;
            nats__userman__subcmd__alarm,test)
                cmd="nats__userman__subcmd__alarm__subcmd__test"
                ;;
            nats__userman__subcmd__block,lift)
                cmd="nats__userman__subcmd__block__subcmd__lift"
                ;;
            nats__userman__subcmd__block,list)
                cmd="nats__userman__subcmd__block__subcmd__list"
                ;;
            nats__userman__subcmd__key,forget)
                cmd="nats__userman__subcmd__key__subcmd__forget"
                ;;
            nats__userman__subcmd__key,list)
                cmd="nats__userman__subcmd__key__subcmd__list"
                ;;
            nats__userman__subcmd__key,prepare)
                cmd="nats__userman__subcmd__key__subcmd__prepare"
                ;;
            nats__userman__subcmd__key,rotate)
                cmd="nats__userman__subcmd__key__subcmd__rotate"
                ;;
            nats__userman__subcmd__member,conflicts)
                cmd="nats__userman__subcmd__member__subcmd__conflicts"
                ;;
            nats__userman__subcmd__member,expiry)
                cmd="nats__userman__subcmd__member__subcmd__expiry"
                ;;
            nats__userman__subcmd__member,export)
                cmd="nats__userman__subcmd__member__subcmd__export"
                ;;
            nats__userman__subcmd__member,forget)
                cmd="nats__userman__subcmd__member__subcmd__forget"
                ;;
            nats__userman__subcmd__member,list)
                cmd="nats__userman__subcmd__member__subcmd__list"
                ;;
            nats__userman__subcmd__member,logout)
                cmd="nats__userman__subcmd__member__subcmd__logout"
                ;;
            nats__userman__subcmd__member,password)
                cmd="nats__userman__subcmd__member__subcmd__password"
                ;;
            nats__userman__subcmd__member,remove)
                cmd="nats__userman__subcmd__member__subcmd__remove"
                ;;
            nats__userman__subcmd__member,restore)
                cmd="nats__userman__subcmd__member__subcmd__restore"
                ;;
            nats__userman__subcmd__member,show)
                cmd="nats__userman__subcmd__member__subcmd__show"
                ;;
            nats__userman__subcmd__operator,add)
                cmd="nats__userman__subcmd__operator__subcmd__add"
                ;;
            nats__userman__subcmd__operator,list)
                cmd="nats__userman__subcmd__operator__subcmd__list"
                ;;
            nats__userman__subcmd__operator,password)
                cmd="nats__userman__subcmd__operator__subcmd__password"
                ;;
            nats__userman__subcmd__operator,remove)
                cmd="nats__userman__subcmd__operator__subcmd__remove"
                ;;
            nats__userman__subcmd__sharing,lift)
                cmd="nats__userman__subcmd__sharing__subcmd__lift"
                ;;
            nats__userman__subcmd__sharing,list)
                cmd="nats__userman__subcmd__sharing__subcmd__list"
                ;;
            nats__userman__subcmd__token,add)
                cmd="nats__userman__subcmd__token__subcmd__add"
                ;;
            nats__userman__subcmd__token,retire)
                cmd="nats__userman__subcmd__token__subcmd__retire"
                ;;
            nats__userman__subcmd__token,show)
                cmd="nats__userman__subcmd__token__subcmd__show"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        nats__userman)
            opts="-h -V --config --listen --public-url --data-dir --database --postback-token --postback-token-file --allow-ip --allow-ip-file --trusted-proxy --trusted-proxy-file --time-zone --expire-grace-hours --clock-jump-minutes --password-hash --keep-cryptpass --stale-guard --journal-days --no-upgrade-copy --log --log-format --database-read --database-password --database-password-file --database-tls --database-tls-ca --ops-listen --ops-token-file --alarm-command --alarm-url --alarm-url-file --alarm-error-percent --alarm-silence-postbacks --alarm-backlog --alarm-backup-age --alarm-disk-mib --alarm-differences --backup-every --backup-dir --backup-keep --backup-with-keys --fastcgi-listen --login-hours --login-stay-hours --login-by-email --login-idle-minutes --login-days --cookie-domain --login-limit-pair --login-limit-network --login-limit-name --login-window-minutes --login-block-minutes --sharing --sharing-networks --sharing-minutes --sharing-at-once --sharing-country-file --sharing-countries --sharing-block-minutes --sharing-ipv4-prefix --sharing-ipv6-prefix --sharing-exempt-member --sharing-exempt-network --sites-file --site-name --site-logo --site-accent --site-background --site-dark-accent --site-dark-background --site-language --forgot-password-url --join-url --support-url --upgrade-url --login-template --api-key --api-key-file --nats-url --nats-api-username --nats-api-key --nats-api-key-file --nats-ca --nats-seconds --nats-report-logins --nats-report-hours --reconcile-every --stand-in --stand-in-minutes --help --version replay try import journal export reconcile member operator token key block sharing authstring alarm backup restore migrate-store set-wal-aside health config check-config doctor serve"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --public-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --data-dir)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --postback-token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --postback-token-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --allow-ip)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --allow-ip-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --trusted-proxy)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --trusted-proxy-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --time-zone)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expire-grace-hours)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --clock-jump-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --password-hash)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --journal-days)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-format)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database-read)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database-password)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database-password-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database-tls)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database-tls-ca)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ops-listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ops-token-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-command)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-url-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-error-percent)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-silence-postbacks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-backlog)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-backup-age)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-disk-mib)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-differences)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --backup-every)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --backup-dir)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --backup-keep)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --fastcgi-listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-hours)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-stay-hours)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-idle-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-days)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --cookie-domain)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-limit-pair)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-limit-network)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-limit-name)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-window-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-block-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-networks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-at-once)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-country-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-countries)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-block-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-ipv4-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-ipv6-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-exempt-member)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-exempt-network)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sites-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-name)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-logo)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-accent)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-background)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-dark-accent)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-dark-background)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-language)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --forgot-password-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --join-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --support-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --upgrade-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-template)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-key-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-api-username)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-api-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-api-key-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-ca)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-seconds)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-report-logins)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-report-hours)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reconcile-every)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --stand-in-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__alarm)
            opts="-h --help test"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__alarm__subcmd__test)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__authstring)
            opts="-h --type --tokenrebuystring --username --site --member --session --session-file --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --type)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --username)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --member)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --session)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --session-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__backup)
            opts="-h --keep --with-keys --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --keep)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__block)
            opts="-h --help list lift"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__block__subcmd__lift)
            opts="-h --name --network --all --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --name)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --network)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__block__subcmd__list)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__check__subcmd__config)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__config)
            opts="-h --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__doctor)
            opts="-h --json --quick --full --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__export)
            opts="-h --format --output --site --former --watch --dry-run --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --format)
                    COMPREPLY=($(compgen -W "csv jsonl htpasswd" -- "${cur}"))
                    return 0
                    ;;
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__health)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__import)
            opts="-h --from --from-password --from-password-file --from-tls --from-tls-ca --format --map --table --site --expect-count --dry-run --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --from)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --from-password)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --from-password-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --from-tls)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --from-tls-ca)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --format)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --map)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --table)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-count)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__journal)
            opts="-h --site --member --username --action --reply --since --until --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --site)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --member)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --username)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --action)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reply)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --since)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --until)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__key)
            opts="-h --help list prepare rotate forget"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__key__subcmd__forget)
            opts="-h --help seal cookie"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__key__subcmd__list)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__key__subcmd__prepare)
            opts="-h --help seal cookie"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__key__subcmd__rotate)
            opts="-h --help seal cookie"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member)
            opts="-h --help show list conflicts remove restore expiry password export forget logout"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member__subcmd__conflicts)
            opts="-h --site --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --site)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member__subcmd__expiry)
            opts="-h --dry-run --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member__subcmd__export)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member__subcmd__forget)
            opts="-h --yes --dry-run --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member__subcmd__list)
            opts="-h --site --former --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --site)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member__subcmd__logout)
            opts="-h --all --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member__subcmd__password)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member__subcmd__remove)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member__subcmd__restore)
            opts="-h --username --lapsed-early --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --username)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__member__subcmd__show)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__migrate__subcmd__store)
            opts="-h --from --to --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --from)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --to)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__operator)
            opts="-h --help add list password remove"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__operator__subcmd__add)
            opts="-h --role --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --role)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__operator__subcmd__list)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__operator__subcmd__password)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__operator__subcmd__remove)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__reconcile)
            opts="-h --from-nats --site --apply --max-changes --allow-many --dry-run --list-time --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --site)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-changes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --list-time)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__replay)
            opts="-h --to --dry-run --journal --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --to)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__restore)
            opts="-h --keys --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --keys)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__serve)
            opts="-h --config --listen --public-url --data-dir --database --postback-token --postback-token-file --allow-ip --allow-ip-file --trusted-proxy --trusted-proxy-file --time-zone --expire-grace-hours --clock-jump-minutes --password-hash --keep-cryptpass --stale-guard --journal-days --no-upgrade-copy --log --log-format --database-read --database-password --database-password-file --database-tls --database-tls-ca --ops-listen --ops-token-file --alarm-command --alarm-url --alarm-url-file --alarm-error-percent --alarm-silence-postbacks --alarm-backlog --alarm-backup-age --alarm-disk-mib --alarm-differences --backup-every --backup-dir --backup-keep --backup-with-keys --fastcgi-listen --login-hours --login-stay-hours --login-by-email --login-idle-minutes --login-days --cookie-domain --login-limit-pair --login-limit-network --login-limit-name --login-window-minutes --login-block-minutes --sharing --sharing-networks --sharing-minutes --sharing-at-once --sharing-country-file --sharing-countries --sharing-block-minutes --sharing-ipv4-prefix --sharing-ipv6-prefix --sharing-exempt-member --sharing-exempt-network --sites-file --site-name --site-logo --site-accent --site-background --site-dark-accent --site-dark-background --site-language --forgot-password-url --join-url --support-url --upgrade-url --login-template --api-key --api-key-file --nats-url --nats-api-username --nats-api-key --nats-api-key-file --nats-ca --nats-seconds --nats-report-logins --nats-report-hours --reconcile-every --stand-in --stand-in-minutes --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --public-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --data-dir)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --postback-token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --postback-token-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --allow-ip)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --allow-ip-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --trusted-proxy)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --trusted-proxy-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --time-zone)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expire-grace-hours)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --clock-jump-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --password-hash)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --journal-days)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-format)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database-read)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database-password)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database-password-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database-tls)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --database-tls-ca)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ops-listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ops-token-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-command)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-url-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-error-percent)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-silence-postbacks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-backlog)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-backup-age)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-disk-mib)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alarm-differences)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --backup-every)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --backup-dir)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --backup-keep)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --fastcgi-listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-hours)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-stay-hours)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-idle-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-days)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --cookie-domain)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-limit-pair)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-limit-network)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-limit-name)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-window-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-block-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-networks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-at-once)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-country-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-countries)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-block-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-ipv4-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-ipv6-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-exempt-member)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sharing-exempt-network)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sites-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-name)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-logo)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-accent)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-background)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-dark-accent)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-dark-background)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --site-language)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --forgot-password-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --join-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --support-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --upgrade-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --login-template)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-key-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-api-username)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-api-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-api-key-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-ca)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-seconds)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-report-logins)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nats-report-hours)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reconcile-every)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --stand-in-minutes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__set__subcmd__wal__subcmd__aside)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__sharing)
            opts="-h --help list lift"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__sharing__subcmd__lift)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__sharing__subcmd__list)
            opts="-h --most --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --most)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__token)
            opts="-h --help show add retire"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__token__subcmd__add)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__token__subcmd__retire)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__token__subcmd__show)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        nats__userman__subcmd__try)
            opts="-h --site --wait --ca --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --site)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --wait)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ca)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _nats__userman -o nosort -o bashdefault -o default nats-userman
else
    complete -F _nats__userman -o bashdefault -o default nats-userman
fi

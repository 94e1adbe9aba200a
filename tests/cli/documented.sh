#!/bin/bash
# Every command has help of one screen, a man page with the same usage, and every option documented; so has every variable.
. "$(dirname "$0")/lib.sh"
man=$source_dir/docs/man

synopsis() { # PAGE: its SYNOPSIS as one line of text
    awk '/^\.Sh /{ on = $2 == "SYNOPSIS"; next } on { sub(/^\.Nm /, ""); printf "%s%s", sep, $0; sep = " " }' "$1"
}
usage_of() { # the usage at the head of help, which may go over several lines, each further one indented by 11
    printf '%s\n' "$out" | awk 'NR == 1 { sub(/^usage: /, ""); printf "%s", $0; next } /^           [^ ]/ { sub(/^ +/, " "); printf "%s", $0; next } { exit }'
}

commands=$("$KDP" __complete '' | grep -vx help)
[ "$(printf '%s\n' "$commands" | wc -l)" -ge 4 ] || wrong 'too few commands to be true'
kdp -h
top=$out
for command in $commands; do
    kdp help "$command"; exits 0; silent
    help=$out
    kdp "$command" -h; exits 0
    [ "$out" = "$help" ] || wrong "kdp $command -h differs from kdp help $command"
    [[ $top == *" $command "* ]] || wrong "kdp -h does not list $command"

    wide=$(printf '%s\n' "$help" | awk 'length($0) > 80' | head -n 1)
    [ -z "$wide" ] || wrong "wider than 80 columns: $wide"
    [ "$(printf '%s\n' "$help" | wc -l)" -le 40 ] || wrong 'longer than 40 lines'
    [ "$(printf '%s\n' "$help" | tail -n 2 | grep -c '^  \S.*kdp ')" = 2 ] || [ "$(printf '%s\n' "$help" | tail -n 2 | grep -c '^  kdp ')" = 2 ] ||
        wrong 'help does not end with two examples'
    [ "$(printf '%s\n' "$help" | grep -c '^exit ')" = 1 ] || wrong 'no exit codes in the help'

    page=$man/kdp-$command.1
    if [ ! -f "$page" ]; then
        wrong "no man page docs/man/kdp-$command.1"
        continue
    fi
    [ "$(synopsis "$page")" = "$(usage_of)" ] || wrong "SYNOPSIS is [$(synopsis "$page")], usage is [$(usage_of)]"
    for option in $(printf '%s\n' "$help" | sed -n 's/^.\{9\}--\(no-\)\{0,1\}\([a-z-]*\).*/\2/p' | sort -u); do
        case $option in quiet | color) continue ;; esac # of the line of common options
        grep -Eq "(^\.It|,) ?Fl -(no-)?$option( |\$|,)" "$page" || wrong "kdp-$command.1 lacks --$option"
    done
    # what the page says of an option that the command does not take is a lie
    for option in $(sed -n 's/^\.It Fl//p' "$page" | grep -Eo '(^| )-[a-z][a-z-]*' | tr -d ' ' | sed 's/^-\(no-\)\{0,1\}//' | sort -u); do
        printf '%s\n' "$help" | grep -Eq -- "--(no-)?$option( |\$)" || wrong "kdp-$command.1 tells of --$option, which $command does not take"
    done
    grep -q "^\.It Xr kdp-$command 1\$" "$man/kdp.1" || wrong "kdp.1 does not list kdp-$command"
    [ -e "$source_dir/tests/cli/$command.sh" ] || grep -qrE "\bkdp $command( |;)" "$source_dir/tests/cli" || wrong "no test of kdp $command in tests/cli"
done
for page in "$man"/kdp-*.1; do
    command=${page##*/kdp-} command=${command%.1}
    printf '%s\n' "$commands" | grep -qx "$command" || wrong "a man page of no command: $page"
done

kdp config --defaults --format csv
while IFS=, read -r setting variable rest; do
    [ "$setting" != setting ] || continue
    grep -q "^\.It Ev $variable Pq Fl -$setting\$" "$man/kdp-env.5" || wrong "kdp-env.5 lacks $variable (--$setting)"
    default=${rest%%,*}
    [ -z "$default" ] || grep -A 4 "^\.It Ev $variable " "$man/kdp-env.5" | grep -qF ".Li $default ." || wrong "kdp-env.5 has another default of $variable than $default"
done < <(printf '%s\n' "$out")

wide=$(printf '%s\n' "$top" | awk 'length($0) > 80' | head -n 1)
[ -z "$wide" ] || wrong "kdp -h is wider than 80 columns: $wide"
done_testing

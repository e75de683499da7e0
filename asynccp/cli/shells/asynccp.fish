# fish completion of asynccp:  asynccp completion fish | source
function __asynccp_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (command $words[1] __complete $words[2..-1] "$current" </dev/null 2>/dev/null)
        switch $line
            case ':files*'
                __fish_complete_path "$current"
            case '*'
                echo $line
        end
    end
end
complete -c asynccp -f -a '(__asynccp_complete)'

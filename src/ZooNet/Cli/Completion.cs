using System.CommandLine;
using System.Text;

namespace ZooNet.Cli;

/// <summary>Completion scripts for shells, made from the same commands and options as the help.</summary>
internal static class Completion
{
    /// <summary>The shells that there is a script for.</summary>
    public static IReadOnlyList<string> Shells { get; } = ["bash", "zsh", "fish"];

    /// <summary>Writes the script for a shell.</summary>
    /// <param name="root">The command line.</param>
    /// <param name="shell">One of <see cref="Shells"/>.</param>
    /// <exception cref="ArgumentException">There is no script for this shell.</exception>
    public static string For(Command root, string shell) => shell switch
    {
        "bash" => Bash(root),
        "zsh" => Zsh(root),
        "fish" => Fish(root),
        _ => throw new ArgumentException($"'{shell}' is no shell with a completion; there are {string.Join(", ", Shells)}", nameof(shell)),
    };

    private static IEnumerable<Command> Commands(Command root) => root.Subcommands.Where(command => !command.Hidden);

    private static IEnumerable<Option> Options(Command command) => command.Options.Where(option => !option.Hidden);

    private static IEnumerable<string> Names(Option option) => option.Aliases.Prepend(option.Name).Where(name => name.StartsWith('-')).Distinct();

    private static bool TakesValue(Option option) => option.ValueType != typeof(bool) && option.Arity.MaximumNumberOfValues > 0;

    private static bool TakesPath(Option option) => TakesValue(option) && option.HelpName is "FILE" or "FOLDER";

    // The first sentence, and nothing that a shell reads.
    private static string Brief(string? description)
    {
        var text = description ?? "";
        var end = text.IndexOf(". ", StringComparison.Ordinal);
        text = (end < 0 ? text : text[..end]).TrimEnd('.');
        return string.Concat(text.Select(c => c is '\'' or '"' or '`' or '$' or '\\' or '[' or ']' or ':' ? ' ' : c));
    }

    private static string Bash(Command root)
    {
        var text = new StringBuilder();
        var commands = string.Join('|', Commands(root).Select(command => command.Name));
        var all = Commands(root).SelectMany(Options).ToList();
        text.Append($$"""
            # bash completion for zoonet, written by 'zoonet completion bash'.
            _zoonet() {
                local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= words= i
                for ((i = 1; i < COMP_CWORD; i++)); do
                    case ${COMP_WORDS[i]} in
                        {{commands}}) command=${COMP_WORDS[i]}; break ;;
                    esac
                done
                case $previous in
                    {{Alternatives(all.Where(TakesPath))}}) COMPREPLY=($(compgen -f -- "$current")); return ;;
                    {{Alternatives(all.Where(option => TakesValue(option) && !TakesPath(option)))}}) COMPREPLY=(); return ;;
                esac
                case $command in
                    '') words='{{string.Join(' ', Commands(root).Select(command => command.Name).Concat(Options(root).SelectMany(Names)))}}' ;;

            """);
        foreach (var command in Commands(root))
        {
            text.Append($"        {command.Name}) words='{string.Join(' ', Options(command).SelectMany(Names).Append("--help"))}");
            text.Append($"{string.Concat(command.Subcommands.Select(sub => " " + sub.Name))}' ;;\n");
        }
        text.Append("""
                esac
                COMPREPLY=($(compgen -W "$words" -- "$current"))
            }
            complete -o filenames -F _zoonet zoonet

            """);
        return text.ToString();

        static string Alternatives(IEnumerable<Option> options) => string.Join('|', options.SelectMany(Names).Distinct().DefaultIfEmpty("-"));
    }

    private static string Zsh(Command root)
    {
        var text = new StringBuilder("#compdef zoonet\n# zsh completion for zoonet, written by 'zoonet completion zsh'.\n_zoonet() {\n    local -a commands\n    commands=(\n");
        foreach (var command in Commands(root))
        {
            text.Append($"        '{command.Name}:{Brief(command.Description)}'\n");
        }
        text.Append("    )\n    if ((CURRENT == 2)); then\n        _describe command commands\n        return\n    fi\n    local command=$words[2]\n");
        text.Append("    shift words\n    ((CURRENT--))\n    case $command in\n");
        foreach (var command in Commands(root))
        {
            text.Append($"        {command.Name})\n            _arguments");
            foreach (var option in Options(command))
            {
                var value = TakesPath(option) ? ":file:_files" : TakesValue(option) ? $":{Brief(option.HelpName ?? "value")}: " : "";
                foreach (var name in Names(option))
                {
                    text.Append($" \\\n                '{name}[{Brief(option.Description)}]{value}'");
                }
            }
            text.Append($" \\\n                '--help[Show help]'");
            foreach (var sub in command.Subcommands)
            {
                text.Append($" \\\n                '1:what:({string.Join(' ', command.Subcommands.Select(s => s.Name))})'");
                break;
            }
            text.Append("\n            ;;\n");
        }
        text.Append("    esac\n}\nif [ \"$funcstack[1]\" = _zoonet ]; then _zoonet \"$@\"; else compdef _zoonet zoonet; fi\n");
        return text.ToString();
    }

    private static string Fish(Command root)
    {
        var text = new StringBuilder("# fish completion for zoonet, written by 'zoonet completion fish'.\ncomplete -c zoonet -f\n");
        foreach (var command in Commands(root))
        {
            text.Append($"complete -c zoonet -n __fish_use_subcommand -a {command.Name} -d '{Brief(command.Description)}'\n");
        }
        foreach (var command in Commands(root))
        {
            foreach (var sub in command.Subcommands)
            {
                text.Append($"complete -c zoonet -n '__fish_seen_subcommand_from {command.Name}' -a {sub.Name} -d '{Brief(sub.Description)}'\n");
            }
            foreach (var option in Options(command))
            {
                var names = string.Concat(Names(option).Select(name =>
                    name.StartsWith("--", StringComparison.Ordinal) ? $" -l {name[2..]}" : name.Length == 2 ? $" -s {name[1..]}" : $" -o {name[1..]}"));
                var value = TakesPath(option) ? " -r -F" : TakesValue(option) ? " -x" : "";
                text.Append($"complete -c zoonet -n '__fish_seen_subcommand_from {command.Name}'{names}{value} -d '{Brief(option.Description)}'\n");
            }
        }
        return text.ToString();
    }
}

using System.Globalization;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;

namespace BpfPpcc.ObjectWriting;

/// <summary>
/// Names of the output's symbols for what the input defines: renamed or prefixed as the user asked. A global name that is taken or that C
/// reserves is an error; local symbols get a number behind their name if it is taken, so that every name means one thing.
/// </summary>
internal sealed class SymbolNames
{
    /// <summary>The linker would take a program of this name for the host's entry point.</summary>
    private const string ReservedName = "main";

    private readonly DiagnosticBag _diagnostics;
    private readonly string _prefix;
    private readonly Dictionary<string, string> _renames = [];
    private readonly HashSet<string> _unusedRenames = [];
    private readonly HashSet<string> _taken = [];

    /// <summary>By wanted name: the last number that was put behind it.</summary>
    private readonly Dictionary<string, int> _lastNumbers = [];

    public SymbolNames(ObjectOptions options, DiagnosticBag diagnostics)
    {
        _diagnostics = diagnostics;
        _prefix = options.SymbolPrefix;
        foreach (SymbolRename rename in options.Renames)
        {
            _renames[rename.OldName] = rename.NewName;
            _unusedRenames.Add(rename.OldName);
        }
    }

    /// <summary>Keeps the names of undefined symbols from being defined here by accident.</summary>
    public void Reserve(UndefinedSymbols undefined)
    {
        foreach (ElfSymbol symbol in undefined.Symbols)
            _taken.Add(symbol.Name);
    }

    /// <summary>The output's name for a symbol that other objects see. To be asked for all of these before any local one.</summary>
    /// <param name="what">What it is, for diagnostics: "program", "map".</param>
    public string Global(string inputName, string what, DiagnosticLocation? location = null)
    {
        string name = OutputName(inputName);
        if (name == ReservedName)
        {
            _diagnostics.Error(
                DiagnosticId.SymbolNameReserved,
                $"the {what} '{inputName}' would be the symbol '{name}' of the output, which is the C program's entry point",
                location,
                $"use --rename-symbol {inputName}=NEW or --symbol-prefix=PREFIX");
        }

        if (!_taken.Add(name))
            ReportDuplicate(name, what, location);
        return name;
    }

    /// <summary>A name that the compiler makes itself, global.</summary>
    public string GlobalAsIs(string name, string what)
    {
        if (!_taken.Add(name))
            ReportDuplicate(name, what, location: null);
        return name;
    }

    /// <summary>The output's name for a symbol that only this object knows.</summary>
    public string Local(string inputName) => MakeUnique(OutputName(inputName));

    /// <summary>The name of a function that C enters by a thunk: the thunk's name with a suffix.</summary>
    public string Inner(string inputName, string suffix) => MakeUnique(OutputName(inputName) + suffix);

    private string MakeUnique(string wanted)
    {
        string name = wanted;
        int number = _lastNumbers.GetValueOrDefault(wanted);
        while (!_taken.Add(name))
            name = string.Create(CultureInfo.InvariantCulture, $"{wanted}.{++number}");
        _lastNumbers[wanted] = number;
        return name;
    }

    /// <summary>Reports names that were to be renamed and do not exist.</summary>
    public void ReportUnusedRenames(ObjectOptions options)
    {
        foreach (SymbolRename rename in options.Renames)
        {
            if (_unusedRenames.Contains(rename.OldName))
            {
                _diagnostics.Error(
                    DiagnosticId.RenameUnknown,
                    $"--rename-symbol {rename.OldName}={rename.NewName}: the input defines no function, map or variable '{rename.OldName}'");
            }
        }
    }

    private string OutputName(string inputName)
    {
        if (!_renames.TryGetValue(inputName, out string? name))
            return _prefix + inputName;
        _unusedRenames.Remove(inputName);
        return name;
    }

    private void ReportDuplicate(string name, string what, DiagnosticLocation? location) =>
        _diagnostics.Error(
            DiagnosticId.SymbolDuplicate, $"the {what} would be a second symbol '{name}' of the output", location, "use --rename-symbol OLD=NEW");
}

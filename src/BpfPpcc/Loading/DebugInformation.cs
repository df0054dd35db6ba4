using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>Source lines and prototypes of functions, from .BTF.ext. Strings are shared between lines.</summary>
internal sealed class DebugInformation
{
    private readonly BtfTypes? _btf;
    private readonly BtfExt? _ext;
    private readonly Dictionary<uint, string> _strings = [];

    /// <summary>
    /// Strings of hostile input may overlap; what is decoded stays within a multiple of the input's size. Lines behind it have no text.
    /// </summary>
    private long _stringBudget;

    public DebugInformation(LoadingContext context)
    {
        _btf = context.Btf;
        _ext = context.BtfExt;
        _stringBudget = 16L * context.File.FindSection(".BTF")?.Contents.Length + 65536 ?? 0;
    }

    /// <summary>The C prototype of a function, or null.</summary>
    public BpfPrototype? PrototypeOf(FunctionRange function)
    {
        if (_btf is null || _ext is null || !_ext.Functions.TryGetValue(function.Section.Name, out ImmutableArray<BtfFuncInfo> records))
            return null;
        long offset = (long)function.Start * BpfInstruction.Size;
        int index = LowerBound(records.AsSpan(), offset, static record => record.InstructionOffset);
        return index < records.Length && records[index].InstructionOffset == offset ? Prototypes.Of(_btf, records[index].Type) : null;
    }

    /// <summary>The source lines of a function, by slot of the function.</summary>
    public ImmutableArray<BpfLineInfo> LinesOf(FunctionRange function)
    {
        if (_ext is null || !_ext.Lines.TryGetValue(function.Section.Name, out ImmutableArray<BtfLineInfo> records))
            return [];
        int index = LowerBound(records.AsSpan(), (long)function.Start * BpfInstruction.Size, static record => record.InstructionOffset);
        int end = LowerBound(records.AsSpan(), (long)function.End * BpfInstruction.Size, static record => record.InstructionOffset);
        ImmutableArray<BpfLineInfo>.Builder lines = ImmutableArray.CreateBuilder<BpfLineInfo>(end - index);
        for (; index < end; index++)
        {
            BtfLineInfo record = records[index];
            int slot = (int)(record.InstructionOffset / BpfInstruction.Size) - function.Start;
            var position = new SourcePosition(String(record.FileName), record.LineNumber, record.ColumnNumber, String(record.Line).TrimEnd());
            var line = new BpfLineInfo(slot, position);
            if (lines.Count != 0 && lines[^1].Slot == slot)
                lines[^1] = line;
            else
                lines.Add(line);
        }

        return lines.DrainToImmutable();
    }

    private string String(uint offset)
    {
        if (_strings.TryGetValue(offset, out string? text))
            return text;
        text = _stringBudget > 0 ? _btf!.TryGetString(offset) ?? "" : "";
        _stringBudget -= text.Length;
        _strings.Add(offset, text);
        return text;
    }

    /// <summary>Index of the first record at or behind <paramref name="offset"/>.</summary>
    private static int LowerBound<T>(ReadOnlySpan<T> records, long offset, Func<T, uint> offsetOf)
    {
        int low = 0, high = records.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (offsetOf(records[middle]) < offset)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}

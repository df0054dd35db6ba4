using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>A kind of memory access.</summary>
/// <param name="What">"load", "store" or "atomic".</param>
/// <param name="Place">The region, by name.</param>
/// <param name="Residue">The address modulo the size.</param>
public readonly record struct Access(string What, int Size, string Place, int Residue)
{
    public string Name => $"memory: {What} {Size}, {Place}, {Alignment}";

    private string Alignment => Residue == 0 ? "aligned" : Size > 4 && Residue != 4 ? "misaligned by other than 4" : "misaligned";
}

/// <summary>Counts what programs did, by a name that says it: what the interpreter ran, and what the generator says of the programs' shape.</summary>
public sealed class Coverage
{
    private readonly Dictionary<string, long> _counts = [];
    private readonly Dictionary<Slot, long> _forms = [];
    private readonly Dictionary<Access, long> _accesses = [];
    private readonly long[] _taken = new long[256];
    private readonly long[] _notTaken = new long[256];

    public void Count(string what, long by = 1) => _counts[what] = _counts.GetValueOrDefault(what) + by;

    public void Max(string what, long value) => _counts[what] = Math.Max(_counts.GetValueOrDefault(what), value);

    public void CountAccess(in Access access) => CollectionsMarshal.GetValueRefOrAddDefault(_accesses, access, out _)++;

    public void CountBranch(byte opcode, bool isTaken) => (isTaken ? _taken : _notTaken)[opcode]++;

    /// <summary>A slot of a program ran.</summary>
    public void CountSlot(Slot slot)
    {
        bool isArithmetic = (slot.Opcode & 7) is 4 or 7;
        bool hasOperationInImm = slot.Opcode >> 4 == 0xd && isArithmetic || (slot.Opcode & 0xe7) == 0xc3;
        var form = new Slot(slot.Opcode, 0, slot.Opcode == 0x85 ? slot.Src : 0, isArithmetic ? slot.Offset : 0, hasOperationInImm ? slot.Imm : 0);
        _forms[form] = _forms.GetValueOrDefault(form) + 1;
    }

    /// <summary>How many slots of each form ran, by the form's name.</summary>
    public Dictionary<string, long> Forms()
    {
        var forms = new Dictionary<string, long>();
        foreach ((Slot form, long count) in _forms)
        {
            string name = OpcodeNames.Of(form);
            forms[name] = forms.GetValueOrDefault(name) + count;
        }

        return forms;
    }

    public long this[string what] => Counts().GetValueOrDefault(what);

    public long Taken(byte opcode) => _taken[opcode];

    public long NotTaken(byte opcode) => _notTaken[opcode];

    public void Add(Coverage other)
    {
        foreach ((string what, long count) in other._counts)
        {
            if (what.StartsWith("max ", StringComparison.Ordinal))
                Max(what, count);
            else
                Count(what, count);
        }

        foreach ((Access access, long count) in other._accesses)
            _accesses[access] = _accesses.GetValueOrDefault(access) + count;
        foreach ((Slot form, long count) in other._forms)
            _forms[form] = _forms.GetValueOrDefault(form) + count;
        for (int i = 0; i < 256; i++)
        {
            _taken[i] += other._taken[i];
            _notTaken[i] += other._notTaken[i];
        }
    }

    /// <summary>All counts that go by name.</summary>
    public Dictionary<string, long> Counts()
    {
        var counts = new Dictionary<string, long>(_counts);
        foreach ((Access access, long count) in _accesses)
            counts[access.Name] = counts.GetValueOrDefault(access.Name) + count;
        return counts;
    }

    /// <summary>A line a count, in order of names.</summary>
    public string Report()
    {
        var text = new StringBuilder();
        foreach ((string form, long count) in Forms().OrderBy(c => c.Key, StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"{count,12}  slots: {form}\n");
        foreach ((string what, long count) in Counts().OrderBy(c => c.Key, StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"{count,12}  {what}\n");
        for (int i = 0; i < 256; i++)
        {
            if (_taken[i] + _notTaken[i] > 0)
                text.Append(CultureInfo.InvariantCulture, $"{_taken[i],12}  {OpcodeNames.Of((byte)i)} taken, {_notTaken[i]} not taken\n");
        }

        return text.ToString();
    }
}

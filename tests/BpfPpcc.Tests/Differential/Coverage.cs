using System.Globalization;
using System.Text;
using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Counts what programs did, by a name that says it: what the interpreter ran, and what the generator says of the programs' shape.</summary>
public sealed class Coverage
{
    private readonly Dictionary<string, long> _counts = [];
    private readonly Dictionary<Slot, long> _forms = [];
    private readonly long[] _taken = new long[256];
    private readonly long[] _notTaken = new long[256];

    public void Count(string what, long by = 1) => _counts[what] = _counts.GetValueOrDefault(what) + by;

    public void Max(string what, long value) => _counts[what] = Math.Max(_counts.GetValueOrDefault(what), value);

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

    public long this[string what] => _counts.GetValueOrDefault(what);

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

        foreach ((Slot form, long count) in other._forms)
            _forms[form] = _forms.GetValueOrDefault(form) + count;
        for (int i = 0; i < 256; i++)
        {
            _taken[i] += other._taken[i];
            _notTaken[i] += other._notTaken[i];
        }
    }

    /// <summary>A line a count, in order of names.</summary>
    public string Report()
    {
        var text = new StringBuilder();
        foreach ((string form, long count) in Forms().OrderBy(c => c.Key, StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"{count,12}  slots: {form}\n");
        foreach ((string what, long count) in _counts.OrderBy(c => c.Key, StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"{count,12}  {what}\n");
        for (int i = 0; i < 256; i++)
        {
            if (_taken[i] + _notTaken[i] > 0)
                text.Append(CultureInfo.InvariantCulture, $"{_taken[i],12}  {OpcodeNames.Of((byte)i)} taken, {_notTaken[i]} not taken\n");
        }

        return text.ToString();
    }
}

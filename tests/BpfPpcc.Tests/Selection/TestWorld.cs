using System.Globalization;

namespace BpfPpcc.Tests.Selection;

/// <summary>
/// What a function of a test can touch: memory that has some content everywhere, functions that answer calls and write to memory, addresses
/// of symbols. What happens is logged, so that two interpreters can be compared.
/// </summary>
internal sealed class TestWorld(bool isBigEndian)
{
    /// <summary>BPF r10.</summary>
    public const ulong FramePointer = 0x7fff_0000_1000;

    /// <summary>Where the tail-call count, or a pointer to one, is kept.</summary>
    public const ulong CountSlot = 0x7fff_0000_1080;

    /// <summary>Calls write here, and loads of tests like to read here.</summary>
    public const ulong Scratch = 0x20_0000_0000;

    private readonly Dictionary<ulong, byte> _memory = [];
    private int _callCount;

    public List<string> Events { get; } = [];

    public static ulong SymbolAddress(int symbol, long addend) => unchecked(0x10_0000_0000UL + ((ulong)symbol * 0x1_0008) + (ulong)addend);

    /// <summary>A number that depends on two others in no simple way.</summary>
    public static ulong Mix(ulong left, ulong right)
    {
        ulong value = unchecked((left * 0x9e37_79b9_7f4a_7c15) ^ (right + 0x632b_e59b_d9b4_e019));
        value = unchecked((value ^ (value >> 30)) * 0xbf58_476d_1ce4_e5b9);
        value = unchecked((value ^ (value >> 27)) * 0x94d0_49bb_1331_11eb);
        return value ^ (value >> 31);
    }

    public ulong Load(ulong address, int bytes)
    {
        ulong value = 0;
        for (int i = 0; i < bytes; i++)
        {
            ulong place = unchecked(address + (ulong)(isBigEndian ? i : bytes - 1 - i));
            value = (value << 8) | (_memory.TryGetValue(place, out byte content) ? content : (byte)Mix(place, 7));
        }

        return value;
    }

    public void Store(ulong address, int bytes, ulong value)
    {
        Write(address, bytes, value);
        ulong kept = bytes == 8 ? value : value & ((1UL << (bytes * 8)) - 1);
        Events.Add(string.Create(CultureInfo.InvariantCulture, $"store{bytes} {address:x} {kept:x}"));
    }

    /// <summary>A store that is not logged: preparation of a test.</summary>
    public void Write(ulong address, int bytes, ulong value)
    {
        for (int i = 0; i < bytes; i++)
            _memory[unchecked(address + (ulong)(isBigEndian ? bytes - 1 - i : i))] = (byte)(value >> (i * 8));
    }

    /// <summary>A call with the values of its arguments, null where the caller gave none.</summary>
    public ulong Call(string callee, ReadOnlySpan<ulong?> arguments)
    {
        while (arguments.Length > 0 && arguments[^1] is null)
            arguments = arguments[..^1];
        var text = new List<string>();
        ulong result = Mix((ulong)_callCount++, 3);
        foreach (ulong? argument in arguments)
        {
            text.Add(argument is ulong value ? value.ToString("x", CultureInfo.InvariantCulture) : "-");
            result = Mix(result, argument ?? 5);
        }

        Events.Add($"call {callee}({string.Join(", ", text)})");
        Write(Scratch + (result % 32), 8, result);
        return result;
    }
}

using System.Globalization;
using System.Text;

namespace BpfPpcc.Tests.Optimization;

/// <summary>
/// Assembly text of a random program that ends, stays inside of its memory and uses what the passes look at: narrow and wide arithmetic,
/// stack slots of all kinds, loops, array lookups, calls.
/// </summary>
internal sealed partial class RandomProgram
{
    private const int ContextRegister = 6;

    /// <summary>Bytes of the stack that statements use.</summary>
    private const int StackSize = 160;

    private static readonly int[] Scalars = [0, 2, 3, 4, 5, 7, 8, 9];
    private static readonly string[] Operators = ["+", "-", "*", "/", "s/", "|", "&", "<<", ">>", "s>>", "%", "s%", "^"];
    private static readonly string[] Relations = ["==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&"];
    private static readonly int[] Widths = [8, 16, 32, 64];

    private static readonly long[] Constants =
    [
        0, 1, 2, 3, 7, 8, 16, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, -1, -2, -8, -128,
        -256, -32768, -65536, -2147483648,
    ];

    private readonly Random _random;
    private readonly StringBuilder _text = new();
    private int _labels;
    private int _depth;
    private bool _isSubprogram;

    private RandomProgram(int seed) => _random = new Random(seed);

    public static string Generate(int seed) => new RandomProgram(seed).Generate();

    private string Generate()
    {
        if (_random.Next(8) == 0)
            Line(".big_endian");
        Line(".data .bss size=64");
        Line(".map array type=ARRAY value=12 entries=5");
        Line(".map hash type=HASH value=8 entries=5");
        Line(".map progs type=PROG_ARRAY entries=5");
        Function(".program main type=KPROBE result=" + Pick(["s32", "u64", "u8", "void"]), 40);
        _isSubprogram = true;
        Function(".subprogram callee " + Pick(["static", "global"]) + " result=" + Pick(["s16", "u64"]), 12);
        return _text.ToString();
    }

    private void Function(string directive, int length)
    {
        Line(directive);
        if (_isSubprogram)
            Line("r6 = data .bss+0");
        else
            Line("r6 = r1");
        foreach (int register in Scalars)
        {
            if (_isSubprogram && register is 2 or 3)
                continue;
            if (_random.Next(3) == 0)
                Line($"r{register} = {Constant()}");
            else
                Load(register);
        }

        // Where it is called again, its stack must not show what the last call left.
        for (int offset = 8; offset <= StackSize && _isSubprogram; offset += 8)
            Line($"*(u64 *)(r10 - {offset}) = 0");
        for (int i = 0; i < length; i++)
            Statement();
        if (_random.Next(2) == 0)
            Line(_random.Next(2) == 0 ? $"r0 = r{Scalar()}" : $"w0 = w{Scalar()}");
        Line("exit");
    }

    private void Statement()
    {
        switch (_random.Next(33))
        {
            case < 9:
                Arithmetic();
                break;
            case < 11:
                Conversion();
                break;
            case < 13:
                Load(Scalar());
                break;
            case 13:
                Line($"*(u{Pick(Widths)} *)(r{ContextRegister} + {8 * _random.Next(6)}) = r{Scalar()}");
                break;
            case < 17:
                Stack();
                break;
            case < 19:
                Conditional();
                break;
            case 19:
                Loop();
                break;
            case 20:
                Atomic();
                break;
            case 21:
                Call();
                break;
            case 22:
                Lookup();
                break;
            case 23:
                MoveConstant();
                break;
            case 24:
                Line($"r{Scalar()} = r{Scalar()}");
                break;
            case 30 or 31:
                CountedLoop();
                break;
            case 25:
                Rotation();
                break;
            case 26:
                OverlappingStack();
                break;
            case 27:
                BytesPutTogether();
                break;
            case 28:
                StoresSideBySide();
                break;
            case 29:
                Choice();
                break;
            default:
                ShiftPair();
                break;
        }
    }

    private void Arithmetic()
    {
        string name = Name();
        int register = Scalar();
        if (_random.Next(20) == 0)
        {
            Line($"{name}{register} = -{name}{register}");
            return;
        }

        string operation = Pick(Operators);
        bool isShift = operation.EndsWith("<<", StringComparison.Ordinal) || operation.EndsWith(">>", StringComparison.Ordinal);
        bool isDivision = operation.EndsWith('/') || operation.EndsWith('%');
        string operand = _random.Next(2) == 0 ? $"{name}{Scalar()}"
            : isShift ? Invariant(_random.Next(name == "w" ? 32 : 64))
            : isDivision ? Invariant(Pick(Constants.Where(static c => c != 0).ToArray()))
            : Constant();
        Line($"{name}{register} {operation}= {operand}");
    }

    private void Conversion()
    {
        int register = Scalar();
        switch (_random.Next(4))
        {
            case 0:
                Line($"r{register} = (s{Pick([8, 16, 32])})r{Scalar()}");
                break;
            case 1:
                Line($"w{register} = (s{Pick([8, 16])})w{Scalar()}");
                break;
            case 2:
                Line($"r{register} = {Pick(["be", "le", "bswap"])}{Pick([16, 32, 64])} r{register}");
                break;
            default:
                Line($"w{register} = w{Scalar()}");
                break;
        }
    }

    private void MoveConstant()
    {
        if (_random.Next(3) == 0)
            Line($"r{Scalar()} = {_random.NextInt64(long.MinValue, long.MaxValue)} ll");
        else
            Line($"{Name()}{Scalar()} = {Constant()}");
    }

    private void ShiftPair()
    {
        bool isWide = _random.Next(2) == 0;
        string name = isWide ? "r" : "w";
        int register = Scalar();
        int count = _random.Next(3) == 0 ? _random.Next(isWide ? 64 : 32) : Pick<int>(isWide ? [32, 48, 56] : [16, 24]);
        Line($"{name}{register} {Pick(["<<", ">>"])}= {count}");
        Line($"{name}{register} {Pick(["<<", ">>", "s>>"])}= {count}");
    }

    /// <summary>Often a rotation, now and then by counts that are wrong for one.</summary>
    private void Rotation()
    {
        bool isWide = _random.Next(2) == 0;
        string name = isWide ? "r" : "w";
        int width = isWide ? 64 : 32;
        int count = _random.Next(width);
        int back = _random.Next(8) == 0 ? _random.Next(width) : (width - count) % width;
        int value = Pick([4, 7, 8]);
        Line($"{name}2 = {name}{value}");
        Line($"{name}2 <<= {count}");
        Line($"{name}3 = {name}{value}");
        Line($"{(_random.Next(6) == 0 ? "r" : name)}3 >>= {back}");
        Line($"{name}2 {Pick(["|", "^", "+"])}= {name}3");
    }

    /// <summary>A branch around a move.</summary>
    private void Choice()
    {
        string end = Label();
        string name = Name();
        int register = Scalar();
        Line($"{name}{register} = {name}{Scalar()}");
        Line($"if {name}{Scalar()} {Pick(Relations)} {(_random.Next(2) == 0 ? $"{name}{register}" : Constant())} goto {end}");
        Line($"{name}{register} = {(_random.Next(3) == 0 ? Constant() : $"{name}{Scalar()}")}");
        _text.Append(CultureInfo.InvariantCulture, $"{end}:\n");
    }

    private void Load(int register)
    {
        int width = Pick(Widths);
        string sign = width < 64 && _random.Next(3) == 0 ? "s" : "u";
        Line($"r{register} = *({sign}{width} *)(r{ContextRegister} + {8 * _random.Next(6)})");
    }

    private void Conditional()
    {
        if (_depth >= 3)
            return;
        string otherwise = Label();
        string end = Label();
        string name = Name();
        string operand = _random.Next(2) == 0 ? $"{name}{Scalar()}" : Constant();
        Line($"if {name}{Scalar()} {Pick(Relations)} {operand} goto {otherwise}");
        Body(4);
        bool hasOther = _random.Next(2) == 0;
        if (hasOther)
            Line($"goto {end}");
        _text.Append(CultureInfo.InvariantCulture, $"{otherwise}:\n");
        if (!hasOther)
            return;
        Body(4);
        _text.Append(CultureInfo.InvariantCulture, $"{end}:\n");
    }

    /// <summary>Counts in a stack slot of its own, so that everything else may happen to the registers.</summary>
    private void Loop()
    {
        if (_depth >= 2)
            return;
        int slot = 128 + 8 * _depth;
        string head = Label();
        Line($"*(u64 *)(r10 - {slot}) = {_random.Next(1, 6)}");
        _text.Append(CultureInfo.InvariantCulture, $"{head}:\n");
        Body(5);
        Line($"r1 = *(u64 *)(r10 - {slot})");
        Line("r1 += -1");
        Line($"*(u64 *)(r10 - {slot}) = r1");
        Line($"if r1 != 0 goto {head}");
    }

    /// <summary>Counts in registers that the body leaves alone, from constants to a constant, with another way out now and then.</summary>
    private void CountedLoop()
    {
        if (_depth >= 1)
            return;
        string head = Label();
        string end = Label();
        int step = _random.Next(1, 5);
        int times = _random.Next(1, 17);
        int start = _random.Next(3);
        int register = Pick([7, 8, 9]);
        int other = Pick([2, 3]);
        Line($"r4 = {start}");
        Line($"r5 = {Constant()}");
        Line($"{Name()}{other} = {Constant()}");
        _text.Append(CultureInfo.InvariantCulture, $"{head}:\n");
        Line($"{Name()}{register} {Pick(["+", "^", "*", "-"])}= r4".Replace("w", "r", StringComparison.Ordinal));
        Line($"w{other} += w{register}");
        if (_random.Next(2) == 0)
            Load(0);
        if (_random.Next(3) == 0)
            Line($"*(u8 *)(r{ContextRegister} + {_random.Next(40)}) = r{register}");
        if (_random.Next(2) == 0)
            Line($"if {Name()}0 {Pick(Relations)} {Constant()} goto {end}");
        if (_random.Next(2) == 0)
        {
            Line("r0 = r4");
            Line("r0 &= 15");
            Line("r0 += r10");
            Line($"*(u8 *)(r0 - 112) = r{register}");
            if (_isSubprogram)
                Line("r0 = r4");
        }

        Line($"r4 += {step}");
        Line($"r5 += {step * _random.Next(5)}");
        Line($"if {Name()}4 {Pick(["!=", "<", "s<"])} {start + step * times} goto {head}");
        _text.Append(CultureInfo.InvariantCulture, $"{end}:\n");
        if (_random.Next(2) == 0)
            Line($"r{register} ^= r5");
    }

    private void Body(int longest)
    {
        _depth++;
        int length = _random.Next(1, longest + 1);
        for (int i = 0; i < length; i++)
            Statement();
        _depth--;
    }

    private void Atomic()
    {
        int width = Pick([32, 64]);
        string name = width == 32 ? "w" : "r";
        int register = Scalar();
        string place = $"(u{width} *)(r{ContextRegister} + {8 * _random.Next(6)})";
        switch (_random.Next(4))
        {
            case 0:
                Line($"lock *{place} {Pick(["+", "|", "&", "^"])}= r{register}");
                break;
            case 1:
                Line($"{name}{register} = atomic_fetch_{Pick(["add", "or", "and", "xor"])}({place}, {name}{register})");
                break;
            case 2:
                Line($"{name}{register} = load_acquire({place})");
                break;
            default:
                Line($"lock *(u64 *)(r10 - 16) += r{register}");
                break;
        }
    }

    private void Call()
    {
        switch (_random.Next(6))
        {
            case 0:
                Line("call 5");
                break;
            case 1:
                Line($"r1 = r{Scalar()}");
                Line($"r2 = r{Scalar()}");
                Line(_isSubprogram ? "call 9999" : "call callee");
                break;
            case 2:
                Line("r1 = r10");
                Line($"r1 += -{8 * _random.Next(1, 11)}");
                Line($"r2 = r{Scalar()}");
                Line("call 4");
                break;
            case 3 when !_isSubprogram:
                Line("r1 = r6");
                Line("r2 = map progs");
                Line($"r3 = r{Scalar()}");
                Line("call 12");
                Line($"r0 = {Constant()}");
                break;
            case 4:
                Line("r1 = map hash");
                Line("r2 = r10");
                Line($"r2 += -{8 * _random.Next(1, 11)}");
                Line("call 1");
                break;
            default:
                Line("call 7");
                break;
        }

        Refill();
    }

    private void Lookup()
    {
        string none = Label();
        Line($"r1 = r{Scalar()}");
        Line("r1 &= 7");
        Line("*(u32 *)(r10 - 92) = r1");
        Line("r1 = map array");
        Line("r2 = r10");
        Line("r2 += -92");
        Line("call map_lookup_elem");
        Refill();
        Line($"if r0 == 0 goto {none}");
        Line("r1 = *(u32 *)(r0 + 4)");
        Line($"r1 += r{Pick([7, 8, 9])}");
        Line("*(u32 *)(r0 + 4) = r1");
        Line($"{Name()}0 = {_random.Next(100)}");
        _text.Append(CultureInfo.InvariantCulture, $"{none}:\n");
    }

    private void Refill()
    {
        for (int register = 2; register <= 5; register++)
            Line($"r{register} = {(_random.Next(2) == 0 ? Constant() : $"r{Pick([7, 8, 9])}")}");
    }

    private string Label() => string.Create(CultureInfo.InvariantCulture, $"l{_labels++}");

    private int Scalar() => Pick(Scalars);

    private string Name() => _random.Next(2) == 0 ? "r" : "w";

    private string Constant() => Invariant(_random.Next(4) == 0 ? _random.Next(int.MinValue, int.MaxValue) : Pick(Constants));

    private static string Invariant(long value) => value.ToString(CultureInfo.InvariantCulture);

    private T Pick<T>(T[] choices) => choices[_random.Next(choices.Length)];

    private void Line(string text) => _text.Append(text).Append('\n');
}

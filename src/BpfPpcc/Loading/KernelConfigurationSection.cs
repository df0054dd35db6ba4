using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using System.Text;
using BpfPpcc.Btf;
using BpfPpcc.Collections;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;

namespace BpfPpcc.Loading;

/// <summary>
/// Makes the read-only data section of an object's `__kconfig` externs: variables that BTF declares in section .kconfig and that take
/// their values from a kernel's configuration (libbpf documentation; the rules of conversion are libbpf's).
/// </summary>
internal sealed class KernelConfigurationSection
{
    public const string Name = ".kconfig";

    /// <summary>More than any configuration variable has; sizes come from the object.</summary>
    private const ulong MaximumSize = 1 << 16;

    private const string VirtualPrefix = "LINUX_HAS_";

    private readonly LoadingContext _context;
    private readonly LoaderOptions _options;
    private readonly ByteWriter _contents;
    private readonly ImmutableArray<BpfVariable>.Builder _variables = ImmutableArray.CreateBuilder<BpfVariable>();
    private readonly Dictionary<string, long> _offsets = [];

    public KernelConfigurationSection(LoadingContext context, LoaderOptions options)
    {
        _context = context;
        _options = options;
        _contents = new ByteWriter(context.File.IsBigEndian);
    }

    public bool IsEmpty => _variables.Count == 0;

    /// <summary>Offset of a variable in the section, or -1.</summary>
    public long OffsetOf(string variable) => _offsets.GetValueOrDefault(variable, -1);

    /// <summary>Collects the variables and their values; false after an error.</summary>
    public bool TryFill()
    {
        if (_context.Btf is not BtfTypes btf || btf.Find(Name, BtfKind.DATASEC) is not (> 0 and uint section))
            return true;
        var symbols = new Dictionary<string, ElfSymbol>();
        foreach (ElfSymbol symbol in _context.File.Symbols)
        {
            if (symbol.IsUndefined && symbol.Name.Length != 0)
                symbols.TryAdd(symbol.Name, symbol);
        }

        bool ok = true;
        foreach (BtfSectionVariable entry in btf.VariablesOf(btf[section]))
        {
            string name = btf.NameOf(entry.Type);
            if (btf[entry.Type].Kind == BtfKind.VAR && symbols.TryGetValue(name, out ElfSymbol? symbol) && !_offsets.ContainsKey(name))
                ok &= TryAdd(btf, name, btf.SkipModifiers(btf[entry.Type].SizeOrType), symbol.IsWeak);
        }

        return ok;
    }

    /// <summary>The section, which is not empty.</summary>
    public BpfDataSection Build(int index) => new()
    {
        Index = index,
        Name = Name,
        IsReadOnly = true,
        Size = _contents.Length,
        Alignment = 8,
        Contents = [.. _contents.Written],
        Variables = _variables.ToImmutable(),
        Relocations = [],
    };

    private bool TryAdd(BtfTypes btf, string name, BtfType type, bool isWeak)
    {
        if (!btf.TryGetSize(type.Id, out ulong size) || size is 0 or > MaximumSize)
            return Fail(name, "has a type without a size");
        string? value = _options.Configuration.ValueOf(name);
        if (value is null && (isWeak || _options.IsListing || name.StartsWith(VirtualPrefix, StringComparison.Ordinal)))
            value = "";
        if (value is null)
        {
            string help = name.StartsWith("CONFIG_", StringComparison.Ordinal)
                ? $"give it with --kconfig FILE or -D{name}=VALUE, or declare it __weak: it is 0 then"
                : $"give it with -D{name}=VALUE";
            string message = $"the kernel configuration variable '{name}' has no value";
            return _context.Fail(DiagnosticId.ConfigurationMissing, message, Name, help: help);
        }

        if (!TryConvert(btf, type, (int)size, value, out byte[] bytes))
            return Fail(name, $"cannot have the value {value}, which does not fit its type");
        _contents.Align(type.Kind == BtfKind.ARRAY ? 1 : (int)Math.Min(8, BitOperations.RoundUpToPowerOf2(size)));
        _offsets.Add(name, _contents.Length);
        _variables.Add(new BpfVariable(name, _contents.Length, (long)size, IsStatic: true, IsWeak: false, IsHidden: false));
        _contents.WriteBytes(bytes);
        return true;
    }

    private bool TryConvert(BtfTypes btf, BtfType type, int size, string value, out byte[] bytes)
    {
        bytes = new byte[size];
        if (value.Length == 0)
            return true;
        BtfIntEncoding encoding = type.Kind == BtfKind.INT ? btf.IntOf(type).Encoding : BtfIntEncoding.None;
        bool isBoolean = (encoding & BtfIntEncoding.BOOL) != 0;
        bool isCharacter = type.Kind == BtfKind.INT && size == 1 && !isBoolean;
        bool isTristate = type.IsEnum && size == 4 && btf.NameOf(type.Id) == "libbpf_tristate";
        if (value is "y" or "n" or "m")
        {
            ulong number = isCharacter ? value[0] : value == "y" ? 1u : value == "m" ? 2u : 0;
            return (isCharacter || isTristate || (isBoolean && number < 2)) && TryWrite(number, bytes);
        }

        if (value[0] == '"')
            return type.Kind == BtfKind.ARRAY && IsCharacter(btf, btf.ArrayOf(type).ElementType) && TryWriteText(value, bytes);
        return type.Kind == BtfKind.INT && !isBoolean && size is 1 or 2 or 4 or 8 && TryParse(value, out ulong parsed)
            && Fits(parsed, size, (encoding & BtfIntEncoding.SIGNED) != 0) && TryWrite(parsed, bytes);
    }

    private static bool IsCharacter(BtfTypes btf, uint id) => btf.SkipModifiers(id) is { Kind: BtfKind.INT, SizeOrType: 1 };

    /// <summary>Longer text is cut off; the last byte is NUL.</summary>
    private static bool TryWriteText(string value, byte[] bytes)
    {
        if (value.Length < 2 || value[^1] != '"')
            return false;
        byte[] text = Encoding.UTF8.GetBytes(value[1..^1]);
        text.AsSpan(0, Math.Min(text.Length, bytes.Length - 1)).CopyTo(bytes);
        return true;
    }

    private bool TryWrite(ulong value, byte[] bytes)
    {
        for (int i = 0; i < bytes.Length && i < sizeof(ulong); i++)
            bytes[_context.File.IsBigEndian ? bytes.Length - 1 - i : i] = (byte)(value >> (8 * i));
        return true;
    }

    /// <summary>Decimal, hexadecimal with 0x, octal with 0, each with or without a minus.</summary>
    private static bool TryParse(string text, out ulong value)
    {
        bool isNegative = text[0] == '-';
        ReadOnlySpan<char> digits = isNegative ? text.AsSpan(1) : text;
        bool ok = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? ulong.TryParse(digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
            : digits.Length > 1 && digits[0] == '0' ? TryParseOctal(digits, out value)
            : ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        if (isNegative)
            value = unchecked(0 - value);
        return ok;
    }

    private static bool TryParseOctal(ReadOnlySpan<char> digits, out ulong value)
    {
        value = 0;
        foreach (char digit in digits)
        {
            if (digit is < '0' or > '7' || value >> 61 != 0)
                return false;
            value = value << 3 | (uint)(digit - '0');
        }

        return true;
    }

    private static bool Fits(ulong value, int size, bool isSigned)
    {
        int bits = 8 * size;
        return bits == 64 || (isSigned ? (long)value >> (bits - 1) is 0 or -1 : value >> bits == 0);
    }

    private bool Fail(string name, string what) =>
        _context.Fail(DiagnosticId.ConfigurationMalformed, $"the kernel configuration variable '{name}' {what}", Name);
}

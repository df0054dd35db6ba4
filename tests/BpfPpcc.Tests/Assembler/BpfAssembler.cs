using System.Collections.Immutable;
using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Tests.Assembler;

/// <summary>
/// Makes a <see cref="BpfModule"/> from text, so that tests of every stage after loading need neither clang nor ELF. Instructions are
/// written as <see cref="BpfPrinter"/> prints them (LLVM's syntax); jump targets may be labels ("goto out", "out:"). Comments start with
/// "//", ";" or "#". Numbers are decimal or 0x-hexadecimal. Instructions that refer to something:
/// <code>
/// r1 = map NAME          r1 = data SECTION+OFFSET   r1 = function NAME      r1 = extern NAME
/// call 5                 call map_lookup_elem       call NAME (function)    call extern NAME
/// </code>
/// Directives; what stands in brackets may be left out:
/// <code>
/// .program NAME [section=xdp] [type=XDP] [attach=N] [target=T] [static] [args=xdp_md*,u64,s32] [result=u32|void]
/// .subprogram NAME [static|global] [args=...] [result=...]
/// .map NAME [type=ARRAY] [key=4] [value=8] [entries=1] [flags=0] [extra=0] [init=a,-,b]   (functions or maps, - is empty)
/// .inner MAP [type=ARRAY] [key=4] [value=8] [entries=1]      the template of a map-in-map
/// .data SECTION [readonly] [align=8] [size=N] [hex bytes]    size alone: zero-filled
/// .var NAME OFFSET SIZE [static] [weak] [hidden]             in the last .data
/// .address OFFSET map NAME|data SECTION+OFFSET|function NAME a 64-bit address in the last .data
/// .line FILE LINE COLUMN [TEXT]                              source position from the next instruction on
/// .licence TEXT     .kernel_version N     .big_endian
/// </code>
/// Without .program the instructions form the program "main" of section ".text". A mistake in the text throws: tests are not user input.
/// </summary>
public sealed class BpfAssembler
{
    private readonly List<FunctionText> _functions = [];
    private readonly List<BpfMap> _maps = [];
    private readonly List<(int Map, string[] Names)> _mapInitialValues = [];
    private readonly List<DataText> _data = [];
    private string _licence = "GPL";
    private uint _kernelVersion;
    private bool _isBigEndian;

    /// <summary>The module that <paramref name="text"/> describes.</summary>
    public static BpfModule Assemble(string text)
    {
        var assembler = new BpfAssembler();
        int number = 0;
        foreach (string line in text.Split('\n'))
        {
            number++;
            try
            {
                assembler.Read(line);
            }
            catch (FormatException exception)
            {
                throw new FormatException($"line {number}: {line.Trim()}: {exception.Message}", exception);
            }
        }

        return assembler.Finish();
    }

    /// <summary>The slots of a single function without references to anything outside of it.</summary>
    public static ImmutableArray<BpfInstruction> Instructions(string text) => Assemble(text).Functions[0].Instructions;

    private void Read(string rawLine)
    {
        if (rawLine.TrimStart().StartsWith(".line ", StringComparison.Ordinal))
        {
            ReadLine(rawLine.Trim());
            return;
        }

        string line = StripComment(rawLine).Trim();
        if (line.Length == 0)
            return;
        if (line[0] == '.' && !line.StartsWith(".insn", StringComparison.Ordinal))
        {
            ReadDirective(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries));
            return;
        }

        int colon = line.IndexOf(':', StringComparison.Ordinal);
        if (colon > 0)
        {
            Current().Labels.Add(line[..colon].Trim(), Current().Code.Count);
            line = line[(colon + 1)..].Trim();
        }

        if (line.Length != 0)
            InstructionText.Parse(line, Current());
    }

    private static string StripComment(string line)
    {
        int end = line.Length;
        foreach (string mark in (string[])["//", ";", "#"])
        {
            int at = line.IndexOf(mark, StringComparison.Ordinal);
            if (at >= 0)
                end = Math.Min(end, at);
        }

        return line[..end];
    }

    private FunctionText Current()
    {
        if (_functions.Count == 0)
            _functions.Add(new FunctionText { Name = "main", Role = BpfFunctionRole.Program, Section = ".text" });
        return _functions[^1];
    }

    private void ReadLine(string line)
    {
        string[] parts = line.Split(' ', 5, StringSplitOptions.RemoveEmptyEntries);
        var position = new SourcePosition(parts[1], (int)Number(parts[2]), (int)Number(parts[3]), parts.Length > 4 ? parts[4] : "");
        Current().Lines.Add(new BpfLineInfo(Current().Code.Count, position));
    }

    private void ReadDirective(string[] words)
    {
        var options = new Options(words);
        switch (words[0])
        {
            case ".program":
                _functions.Add(ProgramOf(words[1], options));
                break;
            case ".subprogram":
                _functions.Add(new FunctionText
                {
                    Name = words[1],
                    Role = BpfFunctionRole.Subprogram,
                    Section = ".text",
                    IsStatic = !options.Has("global"),
                    Prototype = options.Prototype(),
                });
                break;
            case ".map":
                _maps.Add(MapOf(words[1], _maps.Count, options));
                if (options.Text("init") is { } init)
                    _mapInitialValues.Add((_maps.Count - 1, init.Split(',')));
                break;
            case ".inner":
                int outer = _maps.FindIndex(map => map.Name == words[1]);
                _maps[outer] = _maps[outer] with { Inner = MapOf(words[1] + ".inner", -1, options) };
                break;
            case ".data":
                _data.Add(DataText.Parse(words[1], options));
                break;
            case ".var":
                _data[^1].Variables.Add(new BpfVariable(
                    words[1], Number(words[2]), Number(words[3]), options.Has("static"), options.Has("weak"), options.Has("hidden")));
                break;
            case ".address":
                _data[^1].Addresses.Add((Number(words[1]), new SymbolText(words[2], words[3])));
                break;
            case ".licence":
                _licence = words.Length > 1 ? string.Join(' ', words[1..]) : "";
                break;
            case ".kernel_version":
                _kernelVersion = (uint)Number(words[1]);
                break;
            case ".big_endian":
                _isBigEndian = true;
                break;
            default:
                throw new FormatException("unknown directive");
        }
    }

    private static FunctionText ProgramOf(string name, Options options)
    {
        string section = options.Text("section") ?? ".text";
        return new FunctionText
        {
            Name = name,
            Role = BpfFunctionRole.Program,
            Section = section,
            IsStatic = options.Has("static"),
            Type = options.Text("type") is { } type ? Enum.Parse<BpfProgramType>(type, ignoreCase: true) : TypeOfSection(section),
            AttachType = (int)options.Number("attach", 0),
            Target = options.Text("target"),
            Prototype = options.Prototype(),
        };
    }

    private static BpfProgramType TypeOfSection(string section) => section.TrimStart('?').Split('/')[0] switch
    {
        "xdp" or "xdp.frags" => BpfProgramType.XDP,
        "tc" or "tcx" or "classifier" => BpfProgramType.SCHED_CLS,
        "action" => BpfProgramType.SCHED_ACT,
        "socket" => BpfProgramType.SOCKET_FILTER,
        "cgroup_skb" => BpfProgramType.CGROUP_SKB,
        "kprobe" => BpfProgramType.KPROBE,
        "tracepoint" or "tp" => BpfProgramType.TRACEPOINT,
        "freplace" => BpfProgramType.EXT,
        _ => BpfProgramType.UNSPEC,
    };

    private static BpfMap MapOf(string name, int index, Options options) => new()
    {
        Index = index,
        Name = name,
        Type = Enum.Parse<BpfMapType>(options.Text("type") ?? "ARRAY", ignoreCase: true),
        KeySize = (uint)options.Number("key", 4),
        ValueSize = (uint)options.Number("value", 8),
        MaxEntries = (uint)options.Number("entries", 1),
        Flags = (uint)options.Number("flags", 0),
        Extra = (ulong)options.Number("extra", 0),
    };

    private BpfModule Finish()
    {
        var names = new Names(
            [.. _functions.Select(function => function.Name)], [.. _maps.Select(map => map.Name)], [.. _data.Select(data => data.Name)]);
        foreach ((int map, string[] initial) in _mapInitialValues)
            _maps[map] = _maps[map] with { InitialValues = [.. initial.Select(name => name == "-" ? -1 : names.InitialValue(_maps[map].Type, name))] };
        return new BpfModule
        {
            SourceName = "test.bpf",
            Sha256 = [.. new byte[32]],
            IsBigEndian = _isBigEndian,
            Licence = _licence,
            KernelVersion = _kernelVersion,
            Functions = [.. _functions.Select((function, index) => function.Finish(index, names))],
            Maps = [.. _maps],
            DataSections = [.. _data.Select((data, index) => data.Finish(index, names))],
            Btf = null,
            RawBtf = [],
            RawBtfExt = [],
        };
    }

    /// <summary>A decimal or 0x-hexadecimal number with an optional sign; hexadecimal numbers may use all 64 bits.</summary>
    internal static long Number(string text)
    {
        bool isNegative = text.StartsWith('-');
        string digits = text.TrimStart('-', '+');
        bool isHex = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        NumberStyles style = isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None;
        if (!ulong.TryParse(isHex ? digits[2..] : digits, style, CultureInfo.InvariantCulture, out ulong value))
            throw new FormatException($"'{text}' is no number");
        return isNegative ? unchecked(-(long)value) : (long)value;
    }
}

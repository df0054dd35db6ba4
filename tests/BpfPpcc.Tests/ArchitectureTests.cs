using System.Reflection;
using System.Reflection.Emit;
using System.Text.RegularExpressions;
using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests;

/// <summary>
/// References between rooms go one way (docs/architecture.md, Rooms). The table is held against the compiled assembly (every type that a
/// signature or an instruction names) and against the source (constants of another room leave no trace in the assembly).
/// </summary>
public sealed class ArchitectureTests
{
    private const string Root = "BpfPpcc";

    private static readonly string[] Ground = ["Diagnostics", "Collections", "Symbols"];

    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Diagnostics"] = [],
        ["Collections"] = [],
        ["Symbols"] = [],
        ["Elf"] = [],
        ["Btf"] = [],
        ["Dwarf"] = [],
        ["Bpf"] = [],
        ["Ppc64"] = [],
        ["Ir"] = [],
        ["Runtime"] = [],
        ["Mir"] = ["Ppc64"],
        ["Loading"] = ["Elf", "Btf", "Bpf"],
        ["Verification"] = ["Loading", "Btf", "Bpf"],
        ["Lifting"] = ["Loading", "Verification", "Bpf", "Ir"],
        ["Optimization"] = ["Ir", "Bpf"],
        ["Selection"] = ["Ir", "Mir", "Ppc64"],
        ["RegisterAllocation"] = ["Mir", "Ppc64"],
        ["Emission"] = ["Mir", "RegisterAllocation", "Ppc64"],
        ["ObjectWriting"] = ["Emission", "Loading", "Verification", "Elf", "Btf", "Dwarf", "Bpf", "Ppc64"],
        ["CommandLine"] = [],
    };

    [Fact]
    public void Rooms_refer_to_no_more_than_they_may_in_the_assembly()
    {
        var faults = new SortedSet<string>(StringComparer.Ordinal);
        foreach (Type type in typeof(Compiler).Assembly.GetTypes())
        {
            if (RoomOf(type) is not { } room)
                continue;
            foreach (Type reference in ReferencesOf(type))
            {
                if (RoomOf(reference) is { } other)
                    Judge(room, other, type.FullName!, faults);
                else if (reference.Namespace == Root)
                    faults.Add($"{type.FullName} refers to {reference.FullName}, which sees every room");
            }
        }

        Assert.Empty(faults);
    }

    [Fact]
    public void Rooms_refer_to_no_more_than_they_may_in_the_source()
    {
        var faults = new SortedSet<string>(StringComparer.Ordinal);
        foreach (string file in SourceFiles())
        {
            string[] parts = Path.GetRelativePath(SourceFolder, file).Split(Path.DirectorySeparatorChar);
            if (parts.Length == 1)
                continue;
            string text = File.ReadAllText(file);
            Assert.Contains($"namespace {Root}.{string.Join('.', parts[..^1])};", text, StringComparison.Ordinal);
            foreach (Match match in Regex.Matches(text, $@"^using (?:static )?{Root}\.(\w+)", RegexOptions.Multiline))
                Judge(parts[0], match.Groups[1].Value, string.Join('/', parts), faults);
        }

        Assert.Empty(faults);
    }

    [Fact]
    public void Every_folder_is_a_room_of_the_table()
    {
        string[] folders = [.. Directory.GetDirectories(SourceFolder).Select(static path => Path.GetFileName(path)).Except(["bin", "obj"]).Order()];
        Assert.Equal(Allowed.Keys.Order(), folders);
    }

    [Fact]
    public void Files_are_one_thing()
    {
        string[] tooLong = [.. SourceFiles().Where(static file => File.ReadLines(file).Count() > 600).Select(static file => Path.GetFileName(file))];
        Assert.Empty(tooLong);
    }

    private static string SourceFolder { get; } = Path.Combine(TestPaths.ProjectRoot, "src", Root);

    private static IEnumerable<string> SourceFiles() => Directory.EnumerateFiles(SourceFolder, "*.cs", SearchOption.AllDirectories)
        .Where(static file => !Path.GetRelativePath(SourceFolder, file).StartsWith("obj", StringComparison.Ordinal)
            && !Path.GetRelativePath(SourceFolder, file).StartsWith("bin", StringComparison.Ordinal));

    private static void Judge(string room, string other, string where, SortedSet<string> faults)
    {
        if (other != room && !Ground.Contains(other) && !Allowed[room].Contains(other))
            faults.Add($"{where}: {room} refers to {other}");
        if (Ground.Contains(room) && other != room)
            faults.Add($"{where}: {room} is ground and refers to {other}");
    }

    private static string? RoomOf(Type type)
    {
        string[] parts = (type.Namespace ?? "").Split('.');
        return type.Assembly == typeof(Compiler).Assembly && parts.Length > 1 && parts[0] == Root ? parts[1] : null;
    }

    private const BindingFlags Everything =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static HashSet<Type> ReferencesOf(Type type)
    {
        var found = new HashSet<Type>();
        Add(found, type.BaseType);
        foreach (FieldInfo field in type.GetFields(Everything))
            Add(found, field.FieldType);
        foreach (MethodBase method in type.GetMethods(Everything).Cast<MethodBase>().Concat(type.GetConstructors(Everything)))
        {
            foreach (ParameterInfo parameter in method.GetParameters())
                Add(found, parameter.ParameterType);
            Add(found, (method as MethodInfo)?.ReturnType);
            AddBody(found, method);
        }

        return found;
    }

    private static void Add(HashSet<Type> found, Type? type)
    {
        if (type is null || type.IsGenericParameter)
            return;
        if (type.HasElementType)
            Add(found, type.GetElementType());
        else if (type.IsGenericType && !type.IsGenericTypeDefinition)
        {
            Add(found, type.GetGenericTypeDefinition());
            foreach (Type argument in type.GetGenericArguments())
                Add(found, argument);
        }
        else
        {
            found.Add(type);
        }
    }

    private static void AddBody(HashSet<Type> found, MethodBase method)
    {
        if (method.GetMethodBody() is not { } body)
            return;
        foreach (LocalVariableInfo local in body.LocalVariables)
            Add(found, local.LocalType);
        byte[] code = body.GetILAsByteArray() ?? [];
        Type[]? typeArguments = method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : null;
        Type[]? methodArguments = method.IsGenericMethodDefinition ? method.GetGenericArguments() : null;
        for (int at = 0; at < code.Length;)
        {
            OpCode opcode = code[at] == 0xfe ? TwoByte[code[at + 1]] : OneByte[code[at]];
            at += opcode.Size;
            switch (opcode.OperandType)
            {
                case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                    MemberInfo member = method.Module.ResolveMember(BitConverter.ToInt32(code, at), typeArguments, methodArguments)!;
                    Add(found, member as Type ?? member.DeclaringType);
                    if (member is MethodInfo { IsGenericMethod: true } generic)
                    {
                        foreach (Type argument in generic.GetGenericArguments())
                            Add(found, argument);
                    }

                    at += 4;
                    break;
                case OperandType.InlineSwitch:
                    at += 4 + 4 * BitConverter.ToInt32(code, at);
                    break;
                default:
                    at += SizeOf(opcode.OperandType);
                    break;
            }
        }
    }

    private static int SizeOf(OperandType type) => type switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => 4,
    };

    private static readonly OpCode[] OneByte = Opcodes(1);
    private static readonly OpCode[] TwoByte = Opcodes(2);

    private static OpCode[] Opcodes(int size)
    {
        var table = new OpCode[256];
        foreach (FieldInfo field in typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            if (field.GetValue(null) is OpCode opcode && opcode.Size == size)
                table[(byte)opcode.Value] = opcode;
        }

        return table;
    }
}

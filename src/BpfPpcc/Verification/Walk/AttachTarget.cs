using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>What an argument of a traced function is to the program.</summary>
internal enum TypedArgumentKind : byte
{
    /// <summary>There is no such argument.</summary>
    None,
    Unsupported,
    Scalar,

    /// <summary>The result of the function, behind its arguments.</summary>
    Result,
    Object,
    Buffer,
    ReadOnlyBuffer,
}

internal readonly record struct TypedArgument(TypedArgumentKind Kind, uint TypeId = 0, PointerFlags Flags = PointerFlags.None);

/// <summary>
/// The kernel function, tracepoint, hook, iterator or operation that a program is attached to, from the target's BTF: it says what the
/// context holds.
/// </summary>
internal sealed class AttachTarget
{
    private readonly BtfTypes _btf;
    private readonly BtfType _prototype;
    private readonly int _skipped;
    private readonly bool _areTrusted;
    private readonly bool _hasResult;
    private readonly bool _isIterator;

    private AttachTarget(BtfTypes btf, string name, BtfType prototype, int skipped, bool areTrusted, bool hasResult, bool isIterator)
    {
        _btf = btf;
        Name = name;
        _prototype = prototype;
        _skipped = skipped;
        _areTrusted = areTrusted;
        _hasResult = hasResult;
        _isIterator = isIterator;
    }

    public string Name { get; }

    /// <summary>Of an operation: the struct that it is a member of; else "".</summary>
    public string Struct { get; private init; } = "";

    public bool ReturnsVoid => _btf.SkipModifiers(_prototype.SizeOrType).Kind == BtfKind.VOID;

    /// <summary>The target of a program; null if it has none, or none that is known.</summary>
    public static AttachTarget? Of(BpfModule module, BpfFunction program)
    {
        if (module.TargetBtf is not { } btf)
            return null;
        if (program.ProgramType == BpfProgramType.STRUCT_OPS)
            return StructOps(module, btf, program);
        if (program.AttachTarget is not { } name)
            return null;
        return program.ProgramType switch
        {
            BpfProgramType.LSM => Function(btf, $"bpf_lsm_{name}", areTrusted: true, hasResult: true),
            BpfProgramType.TRACING => program.AttachType switch
            {
                AttachTypes.BPF_TRACE_RAW_TP => Tracepoint(btf, name),
                AttachTypes.BPF_TRACE_ITER => Function(btf, $"bpf_iter_{name}", areTrusted: true, hasResult: false, isIterator: true),
                AttachTypes.BPF_TRACE_FENTRY => Function(btf, name, areTrusted: false, hasResult: false),
                _ => Function(btf, name, areTrusted: false, hasResult: true),
            },
            _ => null,
        };
    }

    public TypedArgument ArgumentAt(int index)
    {
        ImmutableArray<BtfParameter> parameters = _btf.ParametersOf(_prototype);
        index += _skipped;
        if (index == parameters.Length && _hasResult)
            return ReturnsVoid ? default : Classify(_prototype.SizeOrType, index, isResult: true);
        return index < parameters.Length ? Classify(parameters[index].Type, index, isResult: false) : default;
    }

    private TypedArgument Classify(uint id, int index, bool isResult)
    {
        BtfType type = _btf.SkipModifiers(id);
        if (type.Kind is BtfKind.INT or BtfKind.ENUM or BtfKind.ENUM64)
            return new TypedArgument(isResult ? TypedArgumentKind.Result : TypedArgumentKind.Scalar);
        if (type.Kind is BtfKind.STRUCT or BtfKind.UNION && type.SizeOrType <= 8)
            return new TypedArgument(TypedArgumentKind.Scalar);
        if (type.Kind != BtfKind.PTR)
            return new TypedArgument(TypedArgumentKind.Unsupported);
        BtfType target = _btf.SkipModifiers(type.SizeOrType);
        if (_isIterator && target.Kind == BtfKind.VOID)
            return new TypedArgument(index == 2 ? TypedArgumentKind.ReadOnlyBuffer : TypedArgumentKind.Buffer, 0, PointerFlags.MaybeNull);
        if (target.Kind is BtfKind.VOID or BtfKind.INT or BtfKind.ENUM or BtfKind.ENUM64)
            return new TypedArgument(TypedArgumentKind.Scalar);
        if (BtfWalk.StructPointer(_btf, type) is not { } found)
            return new TypedArgument(TypedArgumentKind.Unsupported);
        PointerFlags flags = found.Flags;
        if (_areTrusted)
            flags |= PointerFlags.Trusted;
        if (_isIterator && index > 0)
            flags |= PointerFlags.MaybeNull;
        return new TypedArgument(TypedArgumentKind.Object, found.TypeId, flags);
    }

    private static AttachTarget? Function(BtfTypes btf, string name, bool areTrusted, bool hasResult, bool isIterator = false)
    {
        uint id = btf.Find(name, BtfKind.FUNC);
        return id == 0 ? null : new AttachTarget(btf, name, btf.PrototypeOf(btf[id]), 0, areTrusted, hasResult, isIterator);
    }

    /// <summary>The kernel describes tracepoints by typedefs of function pointers, whose first parameter is the tracer's own.</summary>
    private static AttachTarget? Tracepoint(BtfTypes btf, string name)
    {
        uint id = btf.Find($"btf_trace_{name}", BtfKind.TYPEDEF);
        if (id == 0)
            return null;
        BtfType pointer = btf[btf[id].SizeOrType];
        if (pointer.Kind != BtfKind.PTR || btf[pointer.SizeOrType] is not { Kind: BtfKind.FUNC_PROTO } prototype)
            return null;
        return new AttachTarget(btf, name, prototype, 1, areTrusted: true, hasResult: false, isIterator: false);
    }

    /// <summary>The operation is the member of the struct in section .struct_ops that is initialised with the program's address.</summary>
    private static AttachTarget? StructOps(BpfModule module, BtfTypes btf, BpfFunction program)
    {
        foreach (BpfDataSection section in module.DataSections)
        {
            foreach (BpfDataRelocation relocation in section.Relocations)
            {
                if (relocation.Target is BpfReference.FunctionAddress address && address.Function == program.Index
                    && MemberAt(module, btf, section, relocation.Offset) is { } found)
                {
                    return found;
                }
            }
        }

        return null;
    }

    private static AttachTarget? MemberAt(BpfModule module, BtfTypes btf, BpfDataSection section, long offset)
    {
        foreach (BpfVariable variable in section.Variables)
        {
            if (offset < variable.Offset || offset >= variable.Offset + variable.Size || module.Btf is not { } own)
                continue;
            uint id = own.Find(variable.Name, BtfKind.VAR);
            if (id == 0 || own.SkipModifiers(own[id].SizeOrType) is not { Kind: BtfKind.STRUCT } type)
                continue;
            uint target = btf.Find(own.NameOf(type.Id), BtfKind.STRUCT);
            foreach (BtfMember member in own.MembersOf(type))
            {
                if (member.BitOffset / 8 == offset - variable.Offset && target != 0)
                    return Member(btf, target, member.Name);
            }
        }

        return null;
    }

    private static AttachTarget? Member(BtfTypes btf, uint structure, string name)
    {
        foreach (BtfMember member in btf.MembersOf(btf[structure]))
        {
            if (member.Name != name)
                continue;
            BtfType pointer = btf.SkipModifiers(member.Type);
            return pointer.Kind == BtfKind.PTR && btf.SkipModifiers(pointer.SizeOrType) is { Kind: BtfKind.FUNC_PROTO } prototype
                ? new AttachTarget(btf, name, prototype, 0, areTrusted: true, hasResult: false, isIterator: false) { Struct = btf.NameOf(structure) }
                : null;
        }

        return null;
    }
}

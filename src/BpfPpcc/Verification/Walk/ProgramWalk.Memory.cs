using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Loads, stores and atomics: which memory a pointer gives access to.</summary>
internal sealed partial class ProgramWalk
{
    private enum AccessKind : byte
    {
        Read,
        Write,
    }

    private bool StepLoadImmediate64(BpfInstruction instruction)
    {
        if (!CheckWritable(instruction))
            return false;
        BpfReference? reference = _image.References[_slot];
        RegisterState? value = reference switch
        {
            null => RegisterState.ConstantScalar((long)instruction.LoadImmediate64Value(_image.Code[_slot + 1]), _slot),
            BpfReference.MapAddress map => new RegisterState { Kind = RegisterKind.MapPointer, Map = _image.Maps[map.Map] },
            BpfReference.DataAddress data when _image.Sections[data.Section].Section!.IsArena => RegisterState.UnknownScalar(_slot),
            BpfReference.DataAddress data => new RegisterState
            {
                Kind = RegisterKind.MapValue,
                Map = _image.Sections[data.Section],
                Offset = (int)data.Offset,
            },
            BpfReference.FunctionAddress function => new RegisterState { Kind = RegisterKind.Function, Size = function.Function },
            BpfReference.ExternAddress external => ExternAddress(external),
            _ => throw new InvalidOperationException("a call in a load passed the structure check"),
        };
        if (value is null)
            return false;
        Registers[instruction.Dst] = value;
        return true;
    }

    private bool StepLoad(BpfInstruction instruction)
    {
        if (!CheckWritable(instruction) || !CheckReadable(instruction.Src))
            return false;
        RegisterState address = Register(instruction.Src);
        if (!Access(instruction.Src, address, instruction.Offset, instruction.MemoryBytes, AccessKind.Read, null, out RegisterState? loaded))
            return false;
        if (!NotePointer(address))
            return false;
        bool isSigned = instruction.Mode == BpfMode.MEMSX;
        if (isSigned && !loaded!.IsScalar)
            return Fail(DiagnosticId.ContextAccess, "the load sign-extends what is a pointer", "read pointers as they are, into pointer variables");
        if (loaded!.IsPointer && loaded.Origin < 0)
            loaded = loaded with { Origin = _slot };
        Registers[instruction.Dst] = isSigned
            ? NewScalar(ScalarBounds.SignExtend64(instruction.MemoryBytes * 8, loaded.Bounds), loaded.Value)
            : loaded;
        return true;
    }

    private bool StepStore(BpfInstruction instruction)
    {
        if (!CheckReadable(instruction.Src) || !CheckReadable(instruction.Dst))
            return false;
        if (Register(instruction.Src).IsScalar)
            _storeSource = instruction.Src;
        RegisterState address = Register(instruction.Dst);
        bool isStored = Access(
            instruction.Dst, address, instruction.Offset, instruction.MemoryBytes, AccessKind.Write, Register(instruction.Src), out _);
        _storeSource = -1;
        return isStored && NotePointer(address);
    }

    /// <summary>The register that is being stored, so that it gets the id of its copy on the stack; or -1.</summary>
    private int _storeSource = -1;

    private bool StepStoreImmediate(BpfInstruction instruction)
    {
        if (!CheckReadable(instruction.Dst))
            return false;
        RegisterState address = Register(instruction.Dst);
        return Access(
            instruction.Dst, address, instruction.Offset, instruction.MemoryBytes, AccessKind.Write,
            RegisterState.ConstantScalar(instruction.Imm, _slot), out _) && NotePointer(address);
    }

    /// <summary>
    /// One access of <paramref name="size"/> bytes. What is read comes back zero-extended; what is written is a scalar or, into the stack,
    /// any register.
    /// </summary>
    private bool Access(
        int register, RegisterState address, int offset, int size, AccessKind kind, RegisterState? stored, out RegisterState? loaded)
    {
        loaded = kind == AccessKind.Read ? UnknownOfSize(size) : null;
        if (!CheckAlignment(address, offset, size))
            return false;
        if (address.MaybeNull)
            return FailMaybeNull(register, address);
        _facts.Note(_slot, address);
        long at = (long)address.Offset + offset;
        switch (address.Kind)
        {
            case RegisterKind.MapKey:
                return kind == AccessKind.Write
                    ? Fail(DiagnosticId.ReadOnlyMemory, $"{PointerName(register)} points to the key of a map element, which must not change", "copy the key to the stack first")
                    : CheckRegion(register, address, at, size, address.Map!.KeySize, false, "the key");
            case RegisterKind.MapValue:
                return AccessMapValue(register, address, at, size, kind, stored, ref loaded);
            case RegisterKind.Memory:
                if (kind == AccessKind.Write && address.Has(PointerFlags.ReadOnly))
                    return FailReadOnly(register, address);
                return CheckRegion(register, address, at, size, address.Size, false, DescribeMemory(address));
            case RegisterKind.Context:
                return AccessContext(register, address, at, size, kind, ref loaded);
            case RegisterKind.Stack:
                return kind == AccessKind.Read
                    ? ReadStack(register, address, at, size, out loaded)
                    : WriteStack(register, address, at, size, stored!);
            case RegisterKind.Packet or RegisterKind.PacketMeta:
                if (kind == AccessKind.Write && !MayWritePacket)
                    return Fail(DiagnosticId.ReadOnlyMemory, $"programs of type {_environment.TypeName} must not write to the packet", "use a helper such as bpf_skb_store_bytes");
                return CheckPacket(register, address, at, size, false);
            case RegisterKind.FlowKeys:
                return at >= 0 && at + size <= FlowKeysBytes
                    || Fail(DiagnosticId.MemoryOutOfBounds, $"the access of {size} bytes at offset {at} is outside of struct bpf_flow_keys ({FlowKeysBytes} bytes)", "access its fields by their names");
            case RegisterKind.Socket or RegisterKind.SockCommon or RegisterKind.TcpSock or RegisterKind.XdpSock:
                return AccessSocket(register, address, at, size, kind);
            case RegisterKind.TracepointBuffer:
                return AccessTracepointBuffer(register, address, at, size);
            case RegisterKind.BtfObject:
                return AccessBtfObject(register, address, at, size, kind, stored, ref loaded);
            case RegisterKind.MapPointer:
                return AccessMapDescriptor(register, address, at, size, kind);
            case RegisterKind.Buffer:
                if (kind == AccessKind.Write && address.Has(PointerFlags.ReadOnly))
                    return FailReadOnly(register, address);
                return AccessTracepointBuffer(register, address, at, size);
            case RegisterKind.Arena:
                return true;
            case RegisterKind.Scalar:
                return FailNotAPointer(register, address);
            case RegisterKind.NotInit or RegisterKind.PacketEnd or RegisterKind.Function or RegisterKind.Dynptr:
                return Fail(DiagnosticId.NotAPointer, $"{PointerName(register)} is {Describe(address)}: memory cannot be accessed through it", null);
        }

        return true;
    }

    private const int FlowKeysBytes = 56;

    private RegisterState UnknownOfSize(int size) => NewScalar(size switch
    {
        1 => ScalarBounds.U8,
        2 => ScalarBounds.U16,
        4 => ScalarBounds.U32,
        _ => ScalarBounds.Unknown,
    });

    private bool CheckAlignment(RegisterState address, int offset, int size)
    {
        bool isStrict = address.Kind == RegisterKind.Stack || _options.StrictAlignment;
        if (!isStrict || size == 1)
            return true;
        if (address.Kind is RegisterKind.Scalar or RegisterKind.NotInit || !address.Bounds.IsEmpty && IsAligned(address, offset, size))
            return true;
        return Fail(
            DiagnosticId.Misaligned, $"the access of {size} bytes through {Describe(address)} is not known to be aligned to {size}",
            "align the variable to its size");
    }

    private static bool IsAligned(RegisterState address, int offset, int size)
    {
        // The packet's data start 2 bytes before a multiple of 4 (NET_IP_ALIGN), where that matters at all.
        int start = address.Kind is RegisterKind.Packet ? 2 : 0;
        Tnum total = Tnum.Add(address.Bounds.Known, Tnum.Constant((ulong)(long)(address.Offset + offset + start)));
        return total.IsAligned((ulong)size);
    }

    /// <summary>
    /// Whether [<paramref name="offset"/> + the variable part, + <paramref name="size"/>) lies in a region of <paramref name="length"/>
    /// bytes for every value of the variable part.
    /// </summary>
    private bool CheckRegion(int register, RegisterState address, long offset, long size, long length, bool allowsZero, string what)
    {
        ref readonly ScalarBounds bounds = ref address.Bounds;
        if (bounds.SMin < 0 && (bounds.SMin == long.MinValue || bounds.SMin + offset < 0 || bounds.SMin + offset != (int)(bounds.SMin + offset)))
        {
            return Fail(
                OutOfBoundsId(address), $"the offset into {what} may be negative: it is {DescribeOffset(address, offset)}",
                $"make the index unsigned, or check that it is not negative: if ({IndexName()} < 0) return 0;", address);
        }

        if (!IsInside(bounds.SMin + offset, size, length, allowsZero))
            return FailRegion(register, address, offset, size, length, what);
        if (bounds.UMax >= MaximumOffset)
        {
            return Fail(
                OutOfBoundsId(address), $"the offset into {what} has no upper bound: it is {DescribeOffset(address, offset)}", HelpIndex(address, offset, size, length), address);
        }

        return IsInside((long)bounds.UMax + offset, size, length, allowsZero) || FailRegion(register, address, offset, size, length, what);
    }

    private static bool IsInside(long offset, long size, long length, bool allowsZero) =>
        offset >= 0 && (size > 0 || (size == 0 && allowsZero)) && offset + size <= length;

    private bool FailRegion(int register, RegisterState address, long offset, long size, long length, string what)
    {
        long beyond = Math.Min((long)Math.Min(address.Bounds.UMax, MaximumOffset) + offset + size - length, MaximumOffset);
        bool isSizeOpen = _sizeArgument is { IsConstantScalar: false };
        string upTo = isSizeOpen ? "up to " : "";
        string excess = beyond <= 0 ? "" : $": {(address.Bounds.IsConstant ? upTo : "up to ")}{Bytes(beyond)} too far";
        return Fail(
            OutOfBoundsId(address),
            $"{AccessName(register)} covers {upTo}{Bytes(size)} at offset {DescribeOffset(address, offset)} of {what}, which has {Bytes(length)}{excess}",
            isSizeOpen ? HelpSize(length - offset) : HelpIndex(address, offset, size, length), isSizeOpen ? _sizeArgument! : address);
    }

    /// <summary>The size argument whose memory is being checked, for messages.</summary>
    private RegisterState? _sizeArgument;

    private static string HelpSize(long available) => available > 0
        ? string.Create(CultureInfo.InvariantCulture, $"check the size before the call: if (size > {available}) return 0;")
        : "check the size before the call";

    /// <summary>What to check so that an access of <paramref name="size"/> bytes stays inside.</summary>
    private string HelpIndex(RegisterState address, long offset, long size, long length)
    {
        if (address.Bounds.IsConstant)
            return "access less, or make the memory larger";
        long count = size > 0 ? (length - offset) / size : 0;
        bool isScaled = offset >= 0 && count > 0 && (size & (size - 1)) == 0 && address.Bounds.IsAligned((ulong)size);
        return isScaled
            ? string.Create(CultureInfo.InvariantCulture, $"check the index before it is used, on every path: if ({IndexName()} >= {count}) return 0;")
            : string.Create(CultureInfo.InvariantCulture, $"check the index before it is used, on every path: the offset must be {Math.Max(0, length - size)} at most");
    }

    /// <summary>The name of the index in the current line, or one that stands for it.</summary>
    private string IndexName() => SourceExpression.IndexOf(Expression()) ?? "i";

    /// <summary>What memory that is no map value is to the programmer.</summary>
    private string DescribeMemory(RegisterState address) => _genericContext != 0 && address.Id == _genericContext ? "the context"
        : address.Has(PointerFlags.RingBuffer) ? "the ring buffer record"
        : address.DynptrId != 0 ? "the slice of the dynptr"
        : "the memory";

    private bool FailNotAPointer(int register, RegisterState value)
    {
        string name = Current.IsCall ? AccessName(register) : PointerName(register);
        return value.Value.Loss switch
        {
            PointerLoss.PacketMoved => Fail(
                DiagnosticId.NotAPointer, $"{name} pointed into the packet, but a call may have moved the packet's data since",
                "read data and data_end from the context again after the call, and check the length again", value),
            PointerLoss.Released => Fail(
                DiagnosticId.NotAPointer, $"{name} points to something that is not the program's any more", "use it before it is given back", value),
            PointerLoss.None => Fail(
                DiagnosticId.NotAPointer, $"{name} is a number here{(value.Bounds.IsUnknown ? "" : $" ({DescribeRange(value.Bounds)})")}, not a pointer that the program may use",
                "a pointer that went through a 32-bit integer or through memory that is not the stack becomes a number; memory of the kernel is read by bpf_probe_read_kernel", value),
        };
    }

    private static DiagnosticId OutOfBoundsId(RegisterState address) => address.Kind == RegisterKind.MapValue ? DiagnosticId.MapValueOutOfBounds : DiagnosticId.MemoryOutOfBounds;

    private bool AccessMapValue(
        int register, RegisterState address, long offset, int size, AccessKind kind, RegisterState? stored, ref RegisterState? loaded)
    {
        MapInfo map = address.Map!;
        if (!CheckMapAccess(register, address, offset, size, kind, isDirect: true, allowsZero: false))
            return false;
        if (address.Bounds.IsConstant && map.Fields.At(offset + address.Bounds.SMin) is { IsKptr: true } field)
            return AccessKptr(register, kind, stored, field, map, ref loaded);
        if (kind == AccessKind.Read && map.IsReadOnly && address.Bounds.IsConstant && map.Section is { } section)
            loaded = ReadConstant(section, offset + address.Bounds.SMin, size) ?? loaded;
        return true;
    }

    /// <summary>Contents of read-only sections are known, except where the linker or the host writes addresses.</summary>
    private RegisterState? ReadConstant(BpfDataSection section, long offset, int size)
    {
        if (section.Contents.IsEmpty || offset + size > section.Contents.Length || IsRelocated(section, offset, size) || !_environment.HasConstantData)
            return null;
        ulong value = 0;
        for (int i = 0; i < size; i++)
            value |= (ulong)section.Contents[(int)offset + i] << (8 * (_module.IsBigEndian ? size - 1 - i : i));
        return RegisterState.Scalar(NewNode(ScalarBounds.Constant(value)));
    }

    private static bool IsRelocated(BpfDataSection section, long offset, int size)
    {
        foreach (BpfDataRelocation relocation in section.Relocations)
        {
            if (offset < relocation.Offset + 8 && relocation.Offset < offset + size)
                return true;
        }

        return false;
    }

    private bool CheckMapAccess(int register, RegisterState address, long offset, long size, AccessKind kind, bool isDirect, bool allowsZero)
    {
        MapInfo map = address.Map!;
        if (kind == AccessKind.Write && map.IsReadOnly)
        {
            return Fail(
                DiagnosticId.ReadOnlyMemory,
                map.Section is null
                    ? $"{AccessName(register)} writes to {DescribeMap(map)}, which is read-only for programs (BPF_F_RDONLY_PROG)"
                    : $"{AccessName(register)} writes to {DescribeVariable(address with { Offset = (int)offset })}, which is read-only: the variable is const",
                map.Section is null ? "drop BPF_F_RDONLY_PROG, or do not write" : "do not write to it, or drop const from its declaration and everywhere it is passed");
        }

        if (kind == AccessKind.Read && map.IsWriteOnly)
            return Fail(DiagnosticId.ReadOnlyMemory, $"the program reads from {DescribeMap(map)}, which is write-only for programs", "drop BPF_F_WRONLY_PROG");
        if (!CheckRegion(register, address, offset, size, map.ValueSize, allowsZero, map.Section is null ? $"the value of {DescribeMap(map)}" : DescribeMap(map)))
            return false;
        long start = address.Bounds.SMin + offset, end = (long)address.Bounds.UMax + offset + size;
        return map.Fields.Touched(start, end) is not { } field || CheckSpecialField(field, address, offset, size, isDirect);
    }

    private bool CheckSpecialField(SpecialField field, RegisterState address, long offset, long size, bool isDirect)
    {
        if (!field.IsKptr)
        {
            return Fail(
                DiagnosticId.SpecialField, $"the access touches a {Describe(field.Kind)} (offset {field.Offset}), which loads and stores must not",
                "use the helpers for it");
        }

        if (isDirect && address.Bounds.IsConstant && offset + address.Bounds.SMin == field.Offset && size == 8)
            return true;
        return Fail(
            DiagnosticId.SpecialField, $"the access touches a kernel pointer (kptr, offset {field.Offset}), which is only loaded as a whole and stored by bpf_kptr_xchg",
            "access the pointer by its name");
    }

    private bool CheckPacket(int register, RegisterState address, long offset, long size, bool allowsZero)
    {
        if (address.Bounds.SMin < 0)
        {
            return Fail(
                DiagnosticId.PacketOutOfBounds, $"the offset into the packet may be negative: it is {DescribeOffset(address, offset)}",
                "make the offset unsigned, or check that it is not negative", address);
        }

        if (address.Range >= 0 && IsInside(offset, size, address.Range, allowsZero))
            return true;
        if (offset < 0)
        {
            return Fail(
                DiagnosticId.PacketOutOfBounds, $"{AccessName(register)} may lie {Bytes(-offset)} before the start of what is known to be in the packet",
                "access the packet at and behind the pointer that was checked", address);
        }

        string needed = address.Id == 0 ? $"the first {Bytes(offset + size)} of it" : $"{Bytes(offset + size)} behind the part of the offset that varies";
        string known = address.Range > 0
            ? $"this path has checked that {Bytes(address.Range)} are there"
            : "no check on this path compares this pointer with data_end";
        return Fail(
            DiagnosticId.PacketOutOfBounds,
            $"{AccessName(register)} may lie behind the end of the packet: it needs {needed}, but {known}",
            $"check the length first, through the same pointer: {PacketCheck(offset + size)}", address);
    }

    private string PacketCheck(long bytes)
    {
        string? expression = Expression();
        string? name = SourceExpression.PointerOf(expression);
        return name is not null && expression!.Contains("->", StringComparison.Ordinal)
            ? $"if ((void *)({name} + 1) > (void *)(long)ctx->data_end) return ...;"
            : string.Create(CultureInfo.InvariantCulture, $"if (data + {bytes} > (void *)(long)ctx->data_end) return ...;");
    }

    private bool StepAtomic(BpfInstruction instruction)
    {
        bool isLoad = instruction.Imm == BpfAtomic.LOAD_ACQ;
        if (isLoad)
            return CheckReadable(instruction.Src) && CheckAtomicTarget(instruction, instruction.Src) && StepLoad(instruction);
        if (instruction.Imm == BpfAtomic.STORE_REL)
            return CheckReadable(instruction.Dst) && CheckAtomicTarget(instruction, instruction.Dst) && StepStore(instruction);
        if (!CheckWritable(instruction) || !CheckReadable(instruction.Src) || !CheckReadable(instruction.Dst))
            return false;
        if (instruction.Imm == BpfAtomic.CMPXCHG && !CheckReadable(0))
            return false;
        RegisterState address = Register(instruction.Dst);
        if (!CheckAtomicTarget(instruction, instruction.Dst))
            return false;
        int size = instruction.MemoryBytes;
        if (!Access(instruction.Dst, address, instruction.Offset, size, AccessKind.Read, null, out RegisterState? loaded)
            || !Access(instruction.Dst, address, instruction.Offset, size, AccessKind.Write, UnknownOfSize(8), out _))
        {
            return false;
        }

        int written = instruction.WrittenRegister;
        if (written >= 0)
            Registers[written] = loaded!.IsScalar ? loaded : RegisterState.UnknownScalar(_slot);
        return NotePointer(address);
    }

    /// <summary>Memory that other CPUs, or a conversion of the access, would not leave alone.</summary>
    private bool CheckAtomicTarget(BpfInstruction instruction, int register)
    {
        RegisterState address = Register(register);
        bool isOrderedAccess = instruction.Imm is BpfAtomic.STORE_REL or BpfAtomic.LOAD_ACQ;
        bool isAllowed = address.Kind switch
        {
            RegisterKind.Context or RegisterKind.Packet or RegisterKind.PacketMeta or RegisterKind.FlowKeys or RegisterKind.Socket
                or RegisterKind.SockCommon or RegisterKind.TcpSock or RegisterKind.XdpSock or RegisterKind.PacketEnd => false,
            RegisterKind.NotInit or RegisterKind.Scalar or RegisterKind.MapPointer or RegisterKind.MapValue or RegisterKind.MapKey
                or RegisterKind.Stack or RegisterKind.Memory or RegisterKind.Buffer or RegisterKind.TracepointBuffer or RegisterKind.BtfObject
                or RegisterKind.Function or RegisterKind.Dynptr or RegisterKind.Arena => true,
        };
        if (!isAllowed)
        {
            string what = instruction.Imm switch { BpfAtomic.STORE_REL => "a release store to", BpfAtomic.LOAD_ACQ => "an acquire load from", _ => "an atomic operation on" };
            return Fail(DiagnosticId.AtomicTarget, $"{what} {Describe(address)} is not allowed", "use a map value or the stack");
        }

        if (isOrderedAccess || (address.Kind == RegisterKind.Stack && Register(instruction.Src).IsPointer))
            return true;
        int size = instruction.MemoryBytes;
        if (address.Kind is RegisterKind.Scalar or RegisterKind.NotInit || IsAligned(address, instruction.Offset, size) || address.Kind is not (RegisterKind.MapValue or RegisterKind.Memory))
            return true;
        return Fail(DiagnosticId.Misaligned, $"the atomic operation on {size} bytes is not known to be aligned to {size}", "align the variable to its size");
    }

    /// <summary>
    /// One instruction is compiled for one class of pointer: where that makes a difference, all paths must bring the same.
    /// </summary>
    private bool NotePointer(RegisterState address)
    {
        RegisterKind before = _facts.PointerKinds[_slot];
        _facts.PointerKinds[_slot] = address.Kind;
        if (before == RegisterKind.NotInit || before == address.Kind || (MayMix(before) && MayMix(address.Kind)))
            return true;
        return Fail(
            DiagnosticId.PointerMixed, $"the instruction accesses {Describe(address)} on this path and another kind of pointer on others",
            "load the field on each path by itself");
    }

    private static bool MayMix(RegisterKind kind) => kind switch
    {
        RegisterKind.Context or RegisterKind.Socket or RegisterKind.SockCommon or RegisterKind.TcpSock or RegisterKind.XdpSock
            or RegisterKind.BtfObject or RegisterKind.Arena => false,
        RegisterKind.NotInit or RegisterKind.Scalar or RegisterKind.MapPointer or RegisterKind.MapValue or RegisterKind.MapKey
            or RegisterKind.Stack or RegisterKind.PacketMeta or RegisterKind.Packet or RegisterKind.PacketEnd or RegisterKind.FlowKeys
            or RegisterKind.Memory or RegisterKind.Buffer or RegisterKind.TracepointBuffer or RegisterKind.Function or RegisterKind.Dynptr => true,
    };

    private bool FailMaybeNull(int register, RegisterState address) => Fail(
        DiagnosticId.PointerMaybeNull,
        Current.IsCall ? $"{AccessName(register)} may be NULL here" : $"{PointerName(register)} may be NULL here, and it is used without a test",
        $"test the pointer before it is used: if (!{SourceExpression.PointerOf(Expression()) ?? "p"}) return 0;", address);

    private bool FailReadOnly(int register, RegisterState address) =>
        Fail(DiagnosticId.ReadOnlyMemory, $"{AccessName(register)} writes to memory that is read-only for programs", "write to a variable of your own", address);
}

using BpfPpcc.Tests.Differential;
using BpfPpcc.Verification.Walk;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>
/// The states that a walk came through, by slot. With pruning off every run of the program is one of the walked paths: at each instruction
/// its registers and its stack must be members of one of these states.
/// </summary>
internal sealed class WalkedStates(int slots)
{
    private readonly List<WalkedState>?[] _states = new List<WalkedState>?[slots];

    public void Add(int slot, VerifierState state) =>
        (_states[slot] ??= []).Add(new WalkedState(state.FrameCount, [.. state.Frame.Registers], [.. Enumerable.Range(0, state.Frame.StackLength).Select(i => state.Frame[i])]));

    /// <summary>What is wrong with all states of the slot, or null if one has the machine's registers and stack as members.</summary>
    public string? FindFault(StressMachine machine, int slot)
    {
        if (_states[slot] is not { } states)
            return $"slot {slot} runs, and no path of the walk comes there";
        MemoryRegion[] stacks = [.. machine.Interpreter!.Stacks];
        string fault = "";
        foreach (WalkedState state in states)
        {
            if (FindFault(machine, stacks, state) is not { } found)
                return null;
            fault = found;
        }

        return $"slot {slot}: {fault} (last of {states.Count} states)";
    }

    private static string? FindFault(StressMachine machine, MemoryRegion[] stacks, WalkedState state)
    {
        if (state.Frames != stacks.Length)
            return $"{stacks.Length} frames, not {state.Frames}";
        for (int register = 0; register < 10; register++)
        {
            RegisterState known = state.Registers[register];
            if (known.Kind == RegisterKind.NotInit)
                continue;
            if (machine.Interpreter!.RegisterOrNull(register) is not { } value)
                return $"r{register} has no value";
            if (!IsMember(machine, stacks, known, value))
                return $"r{register} is 0x{value:x}, not {known}";
        }

        for (int i = 0; i < state.Stack.Length; i++)
        {
            if (FindFault(machine, stacks, state.Stack[i], stacks[^1].Bytes.AsSpan(512 - 8 * (i + 1), 8)) is { } fault)
                return $"stack at {-8 * (i + 1)}: {fault}";
        }

        return null;
    }

    private static string? FindFault(StressMachine machine, MemoryRegion[] stacks, StackSlot slot, ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int i = 0; i < 8; i++)
        {
            if (slot[i] == StackByte.Zero && bytes[i] != 0)
                return "a byte that should be zero";
            if (i < slot.SpilledBytes)
                value |= (ulong)bytes[i] << 8 * i;
        }

        return slot.Value is { } spilled && slot.SpilledBytes > 0 && !IsMember(machine, stacks, spilled, value) ? $"0x{value:x}, not {spilled}" : null;
    }

    private static bool IsMember(StressMachine machine, MemoryRegion[] stacks, RegisterState known, ulong value)
    {
        if (known.IsScalar)
            return known.Bounds.Contains(value);
        if (value == 0)
            return known.MaybeNull;
        switch (known.Kind)
        {
            case RegisterKind.Stack:
                return HasOffset(known, value - stacks[known.Size].Address - 512);
            case RegisterKind.Packet:
                ulong end = machine.Helpers.PacketStart + (ulong)machine.Helpers.Packet.Length;
                return HasOffset(known, value - machine.Helpers.PacketStart) && (known.Range <= 0 || value - (ulong)(long)known.Offset + (ulong)known.Range <= end);
            case RegisterKind.Context:
                return HasOffset(known, value - machine.Context.Address);
            case RegisterKind.MapValue or RegisterKind.Memory:
                return machine.RegionOf(value) is not { } region || HasOffset(known, value - region.Address);
            case RegisterKind.NotInit or RegisterKind.Scalar or RegisterKind.MapPointer or RegisterKind.MapKey or RegisterKind.PacketMeta
                or RegisterKind.PacketEnd or RegisterKind.FlowKeys or RegisterKind.Socket or RegisterKind.SockCommon or RegisterKind.TcpSock
                or RegisterKind.XdpSock or RegisterKind.Buffer or RegisterKind.TracepointBuffer or RegisterKind.BtfObject or RegisterKind.Function
                or RegisterKind.Dynptr:
                return true;
        }

        return true;
    }

    private static bool HasOffset(RegisterState known, ulong distance) => known.Bounds.Contains(distance - (ulong)(long)known.Offset);

    private sealed record WalkedState(int Frames, RegisterState[] Registers, StackSlot[] Stack);
}

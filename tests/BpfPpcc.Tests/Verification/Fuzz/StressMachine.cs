using System.Buffers.Binary;
using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Tests.Differential;
using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>What a run of a program left behind.</summary>
/// <param name="Fault">What no safe program does; null if it ended well.</param>
/// <param name="Unmodelled">A helper that is not modelled: the run says nothing.</param>
internal sealed record StressOutcome(ulong Result, byte[] Packet, string? Fault, string? Unmodelled);

/// <summary>
/// Runs programs in the reference interpreter with a context, a packet and maps. Loads of packet pointers read the 64-bit fields of the
/// native context, as in compiled code. A seed decides all that the kernel may decide: addresses, what unwritten memory holds, which helpers
/// fail, and what they give.
/// </summary>
internal sealed class StressMachine
{
    private readonly StressProgram _program;
    private readonly ImmutableDictionary<int, int> _contextLoads;
    private readonly Prng _random;
    private readonly InterpreterMemory _memory;
    private readonly MemoryRegion _context;
    private readonly StressHelpers _helpers;

    /// <summary>What nobody wrote is zero.</summary>
    private readonly bool _isQuiet;

    /// <param name="contextLoads">By slot of the code: the native field that the load reads instead.</param>
    /// <param name="isFresh">
    /// Maps are empty and the packet is the program's own, as in the kernel's test run; else both are random. The stack may not be read before
    /// it is written, which else is allowed.
    /// </param>
    public StressMachine(StressProgram program, ImmutableDictionary<int, int> contextLoads, ulong seed, bool isFresh)
    {
        _program = program;
        _contextLoads = contextLoads;
        _random = new Prng(seed);
        uint slide = (uint)_random.Next64();
        _isQuiet = isFresh && _random.Coin();
        _memory = new InterpreterMemory(slide: slide == 0 ? 1 : slide) { StackContents = isFresh ? null : Bytes };
        byte[] packet = isFresh ? program.PacketOfRun() : program.Input.Length != 0 && _random.Coin() ? [.. program.Input] : Bytes(_random.Pick(0, 1, 7, 14, 20, 34, 60, 100));
        _context = _memory.Add("context", ContextBytes(packet));
        _helpers = new StressHelpers(_memory, _context, program.Type, packet, _random, isFresh);
    }

    public Action<StressMachine, int>? BeforeStep { get; init; }

    public ReferenceInterpreter? Interpreter { get; private set; }

    public MemoryRegion Context => _context;

    public StressHelpers Helpers => _helpers;

    public MemoryRegion? RegionOf(ulong address) => _memory.RegionOf(address);

    public StressOutcome Run()
    {
        var interpreter = new ReferenceInterpreter(Link(), _memory)
        {
            StepLimit = 4_000_000,
            Helper = _helpers.Call,
            Packet = (offset, size) => LoadPacket((int)offset, size),
            ProgramArrayAt = address => _helpers.MapAt(address) == StressMaps.ProgramArray ? new ProgramArray(StressMaps.Entries, static _ => -1) : null,
            BeforeStep = BeforeStep is null ? null : slot => BeforeStep(this, slot),
        };
        Interpreter = interpreter;
        try
        {
            ulong result = interpreter.Run(0, _context.Address);
            byte[] left = _program.Type == BpfProgramType.SYSCALL ? _context.Bytes[.._program.Input.Length] : _helpers.Packet;
            return new StressOutcome(result, left, null, null);
        }
        catch (BpfFaultException fault)
        {
            return new StressOutcome(0, [], fault.Message, null);
        }
        catch (UnmodelledHelperException helper)
        {
            return new StressOutcome(0, [], null, helper.Message);
        }
    }

    private byte[] Link()
    {
        byte[] code = _program.Code();
        for (int slot = 0; slot < _program.Slots.Length; slot++)
        {
            Span<byte> at = code.AsSpan(slot * Slot.Size);
            if (StressMaps.IndexOf(_program.Slots[slot]) is >= 0 and var map)
            {
                ulong address = _helpers.AddressOf(map);
                at[1] &= 15;
                BinaryPrimitives.WriteUInt32LittleEndian(at[4..], (uint)address);
                BinaryPrimitives.WriteUInt32LittleEndian(at[12..], (uint)(address >> 32));
            }
            else if (_contextLoads.TryGetValue(slot, out int field))
            {
                at[0] = 0x79;
                BinaryPrimitives.WriteInt16LittleEndian(at[2..], (short)field);
            }
        }

        return code;
    }

    private byte[] ContextBytes(byte[] packet)
    {
        byte[] context = Bytes(_program.Type switch
        {
            BpfProgramType.XDP => 88,
            BpfProgramType.SYSCALL => 4_096,
            BpfProgramType.TRACEPOINT => 8_192,
            BpfProgramType.PERF_EVENT or BpfProgramType.KPROBE => 1_024,
            _ => 280,
        });
        if (_program.Type is BpfProgramType.SYSCALL or BpfProgramType.RAW_TRACEPOINT)
        {
            packet.AsSpan(0, Math.Min(packet.Length, context.Length)).CopyTo(context);
        }
        else if (_program.Type == BpfProgramType.XDP)
        {
            // The loopback device and its first queue, as in a test run.
            Word(context, 12, 1);
            Word(context, 16, 0);
        }
        else if (_program.IsBuffer)
        {
            Word(context, 0, (uint)packet.Length);
            for (int field = 48; field <= 68; field += 4)
                Word(context, field, 0);
            Word(context, 8, 0);
            Word(context, 32, 0);
            context.AsSpan(168, 8).Clear();
        }

        return context;
    }

    private static void Word(byte[] bytes, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(offset), value);

    // LD_ABS and LD_IND: offsets from 2^31 on are negative and address headers, which are not modelled.
    private ulong? LoadPacket(int offset, int size)
    {
        byte[] packet = _helpers.Packet;
        if (offset < 0)
            throw new UnmodelledHelperException("packet load at a negative offset");
        if (offset + size > packet.Length)
            return null;
        ulong value = 0;
        for (int i = 0; i < size; i++)
            value = value << 8 | packet[offset + i];
        return value;
    }

    private byte[] Bytes(int size)
    {
        var bytes = new byte[size];
        for (int i = 0; i < size && !_isQuiet; i++)
            bytes[i] = _random.Chance(25) ? (byte)0 : (byte)_random.Next(256);
        return bytes;
    }
}

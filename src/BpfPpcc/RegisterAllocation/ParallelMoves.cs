using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Puts simultaneous moves into a sequence. A move whose destination nobody reads any more can go; what is left then are cycles, which a
/// copy of one value in r0 opens. Moves from slot to slot go through r0; if a cycle contains such a move, the copy lies in one more slot.
/// Rematerialised values come last, as nothing reads them.
/// </summary>
internal sealed class ParallelMoves
{
    private const int FirstSlot = 32;

    private readonly Liveness _liveness;
    private readonly int[] _slots;
    private readonly int _emergencySlot;
    private readonly List<AllocationEdit> _edits = [];
    private readonly List<(int From, int To)> _pending = [];
    private readonly List<(Place From, int To)> _rematerialized = [];
    private readonly List<int> _ready = [];

    /// <summary>By location: how many pending moves read it.</summary>
    private readonly int[] _readers;

    /// <summary>By location: the pending move that writes it, or -1.</summary>
    private readonly int[] _writer;

    private int _block;
    private int _instruction;

    private ParallelMoves(Liveness liveness, int[] slots, int slotCount)
    {
        _liveness = liveness;
        _slots = slots;
        _emergencySlot = FirstSlot + slotCount;
        _readers = new int[_emergencySlot + 1];
        _writer = new int[_emergencySlot + 1];
        Array.Fill(_writer, -1);
    }

    private bool UsesEmergencySlot { get; set; }

    /// <summary>Returns the edits in order. One slot more than <paramref name="slotCount"/> may be needed.</summary>
    public static AllocationEdit[] Sequence(Liveness liveness, List<Move> moves, int[] slots, ref int slotCount)
    {
        var sorted = moves.ToArray();
        var keys = new long[sorted.Length];
        for (int index = 0; index < keys.Length; index++)
        {
            keys[index] = (((long)sorted[index].Instruction * 3) + (int)sorted[index].Phase) << 31 | (uint)index;
        }

        Array.Sort(keys, sorted);
        var sequencer = new ParallelMoves(liveness, slots, slotCount);
        int start = 0;
        for (int end = 1; end <= sorted.Length; end++)
        {
            if (end == sorted.Length || keys[end] >> 31 != keys[start] >> 31)
            {
                sequencer.SequenceGroup(sorted.AsSpan(start..end));
                start = end;
            }
        }

        slotCount += sequencer.UsesEmergencySlot ? 1 : 0;
        return sequencer._edits.ToArray();
    }

    private void SequenceGroup(ReadOnlySpan<Move> moves)
    {
        _block = _liveness.BlockOf[moves[0].Instruction];
        _instruction = moves[0].Instruction - _liveness.FirstInstruction[_block];
        foreach (ref readonly Move move in moves)
        {
            Add(move);
        }

        for (int index = 0; index < _pending.Count; index++)
        {
            if (_readers[_pending[index].To] == 0)
            {
                _ready.Add(index);
            }
        }

        EmitReady();
        for (int index = 0; index < _pending.Count; index++)
        {
            if (_writer[_pending[index].To] == index)
            {
                EmitCycle(index);
            }
        }

        foreach ((Place from, int to) in _rematerialized)
        {
            EmitRematerialized(_liveness.Rematerialization[from.Register]!, to);
        }

        _pending.Clear();
        _rematerialized.Clear();
    }

    private void Add(in Move move)
    {
        int to = Locate(move.To);
        if (to < 0)
        {
            return;
        }

        if (move.From.IsRematerialized)
        {
            _rematerialized.Add((move.From, to));
            return;
        }

        int from = Locate(move.From);
        if (from == to)
        {
            return;
        }

        if (_writer[to] >= 0)
        {
            throw new InvalidOperationException($"{_liveness.Function.Name}: two moves to {Location(to)} before instruction {_instruction} of block {_block}");
        }

        _writer[to] = _pending.Count;
        _readers[from]++;
        _pending.Add((from, to));
    }

    /// <summary>Number of a location, or -1 for the slot of a register that nobody reads from there.</summary>
    private int Locate(Place place) => place.IsGpr ? place.Gpr : _slots[place.Register] < 0 ? -1 : FirstSlot + _slots[place.Register];

    /// <summary>Emits moves as long as there is one whose destination nobody reads.</summary>
    private void EmitReady()
    {
        while (_ready.Count > 0)
        {
            (int from, int to) = _pending[_ready[^1]];
            _ready.RemoveAt(_ready.Count - 1);
            EmitMove(from, to);
            _writer[to] = -1;
            _readers[from]--;
            if (_readers[from] == 0 && _writer[from] >= 0)
            {
                _ready.Add(_writer[from]);
            }
        }
    }

    private void EmitCycle(int index)
    {
        int opened = _pending[index].To;
        bool joinsSlots = false;
        for (int location = opened; ;)
        {
            int source = _pending[_writer[location]].From;
            joinsSlots |= source >= FirstSlot && location >= FirstSlot;
            location = source;
            if (location == opened)
            {
                break;
            }
        }

        int copy = joinsSlots ? _emergencySlot : Gpr.R0.Number;
        UsesEmergencySlot |= joinsSlots;
        EmitMove(opened, copy);
        for (int location = opened; ;)
        {
            int source = _pending[_writer[location]].From;
            _writer[location] = -1;
            _readers[source] = 0;
            EmitMove(source == opened ? copy : source, location);
            if (source == opened)
            {
                break;
            }

            location = source;
        }
    }

    private void EmitMove(int from, int to)
    {
        if (from >= FirstSlot && to >= FirstSlot)
        {
            Emit(from, Gpr.R0.Number, null);
            from = Gpr.R0.Number;
        }

        Emit(from, to, null);
    }

    private void EmitRematerialized(MachineInstruction definition, int to)
    {
        int gpr = to >= FirstSlot ? Gpr.R0.Number : to;
        Emit(gpr, gpr, definition);
        if (to >= FirstSlot)
        {
            Emit(gpr, to, null);
        }
    }

    private void Emit(int from, int to, MachineInstruction? definition) =>
        _edits.Add(new AllocationEdit(_block, _instruction, Location(from), Location(to), definition));

    private static Location Location(int number) => number >= FirstSlot
        ? RegisterAllocation.Location.InSpillSlot(number - FirstSlot)
        : RegisterAllocation.Location.InGpr(new Gpr((byte)number));
}

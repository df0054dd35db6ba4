using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>
/// Runs machine functions on abstract values: what an instruction defines is a hash of itself and its operands, so that any wrong value
/// shows in the result. Once on virtual registers, and once on GPRs and slots as an allocation says, where everything that may be lost
/// gets lost: volatile GPRs in calls, r0 behind each instruction, early defs before the uses are read.
/// </summary>
internal sealed class MachineInterpreter
{
    private const int StepLimit = 3000;
    private const uint VolatileGprs = 0x00001ff8;

    private readonly MachineFunction _function;
    private readonly Allocation? _allocation;
    private readonly ulong[] _registers;
    private readonly ulong[] _gprs = new ulong[32];
    private readonly ulong[] _slots;
    private readonly uint[] _crFields = new uint[8];
    private readonly HashSet<(int Block, int Instruction)> _deleted = [];
    private readonly Dictionary<(int Block, int Instruction), List<AllocationEdit>> _edits = [];
    private readonly ulong _input;
    private ulong _trace;
    private ulong _garbage = 0x6a7b6a7b;

    private MachineInterpreter(MachineFunction function, Allocation? allocation, ulong input)
    {
        _function = function;
        _allocation = allocation;
        _input = input;
        _registers = new ulong[function.VirtualRegisterCount];
        _slots = new ulong[allocation?.SpillSlotCount ?? 0];
        for (int gpr = 0; gpr < 32; gpr++)
        {
            _gprs[gpr] = Mix(0x1234, (ulong)gpr);
        }

        if (allocation is null)
        {
            return;
        }

        _deleted.UnionWith(allocation.Deleted);
        foreach (AllocationEdit edit in allocation.Edits)
        {
            if (!_edits.TryGetValue((edit.Block, edit.Instruction), out List<AllocationEdit>? list))
            {
                list = [];
                _edits.Add((edit.Block, edit.Instruction), list);
            }

            list.Add(edit);
        }
    }

    /// <summary>A hash of all that can be seen from outside: calls, stores, the result, preserved registers.</summary>
    public static ulong Run(MachineFunction function, Allocation? allocation, ulong input) => new MachineInterpreter(function, allocation, input).Run();

    private static ulong Mix(ulong a, ulong b)
    {
        ulong hash = (a ^ (b * 0x9e3779b97f4a7c15)) + 0x7f4a7c15;
        hash = (hash ^ (hash >> 29)) * 0xbf58476d1ce4e5b9;
        return hash ^ (hash >> 32);
    }

    private ulong Run()
    {
        int block = 0;
        int steps = 0;
        while (block >= 0 && steps < StepLimit)
        {
            MachineBlock code = _function.Blocks[block];
            int next = -1;
            for (int index = 0; index < code.Instructions.Count; index++)
            {
                steps++;
                next = Step(code, index);
            }

            block = next;
        }

        CheckPreserved();
        return _trace;
    }

    private void CheckPreserved()
    {
        for (int gpr = 1; gpr < 32; gpr++)
        {
            bool mayChange = gpr < 14 && (VolatileGprs >> gpr & 1) != 0;
            mayChange |= _allocation is not null && Array.IndexOf(_allocation.UsedCalleeSaved, new Gpr((byte)gpr)) >= 0;
            _trace = mayChange || _gprs[gpr] == Mix(0x1234, (ulong)gpr) ? _trace : Mix(_trace, 0xbad);
        }
    }

    private int Step(MachineBlock block, int index)
    {
        MachineInstruction instruction = block.Instructions[index];
        if (_edits.TryGetValue((block.Index, index), out List<AllocationEdit>? edits))
        {
            foreach (AllocationEdit edit in edits)
            {
                Set(edit.To, edit.Rematerialize is null ? Get(edit.From) : Result(edit.Rematerialize, 0, Hash(edit.Rematerialize, null)));
            }
        }

        if (!_deleted.Contains((block.Index, index)))
        {
            Execute(instruction, _allocation?.OperandGprs[block.Index][index]);
        }

        return instruction.IsTerminator ? Leave(block, instruction) : -1;
    }

    private void Execute(MachineInstruction instruction, Gpr[]? gprs)
    {
        MachineOperand[] operands = instruction.Operands;
        for (int index = 0; index < operands.Length && gprs is not null; index++)
        {
            if (operands[index].Role == OperandRole.EarlyDef)
            {
                _gprs[gprs[index].Number] = Garbage();
            }
        }

        ulong hash = Hash(instruction, gprs);
        bool isVisible = instruction.ClobbersVolatile || instruction.Opcode == Ppc64Opcode.Std
            || instruction.Pseudo is MachinePseudo.AtomicReadModifyWrite or MachinePseudo.AtomicCompareExchange
                or MachinePseudo.Return or MachinePseudo.TailCallJump;
        _trace = isVisible ? Mix(_trace, hash) : _trace;
        ulong copied = instruction.Pseudo == MachinePseudo.Copy ? Value(operands[1], gprs, 1) : 0;
        if (gprs is not null)
        {
            Clobber(instruction);
        }

        for (int index = 0; index < operands.Length; index++)
        {
            if (operands[index].Kind == MachineOperandKind.CrField && index == 0)
            {
                _crFields[operands[index].Number] = (uint)hash;
            }

            if (operands[index].Kind == MachineOperandKind.VirtualRegister && operands[index].IsDef)
            {
                ulong value = instruction.Pseudo == MachinePseudo.Copy ? copied : Result(instruction, index, hash);
                if (gprs is null)
                {
                    _registers[operands[index].Number] = value;
                }
                else
                {
                    _gprs[gprs[index].Number] = value;
                }
            }
        }
    }

    private void Clobber(MachineInstruction instruction)
    {
        _gprs[0] = Garbage();
        for (int gpr = 3; gpr < 13 && instruction.ClobbersVolatile; gpr++)
        {
            _gprs[gpr] = Garbage();
        }
    }

    private ulong Garbage() => _garbage = Mix(_garbage, 0x6a7b);

    private ulong Result(MachineInstruction instruction, int index, ulong hash) =>
        Mix(hash, (ulong)index + 100 + (instruction.Pseudo == MachinePseudo.Arguments ? _input : 0));

    private ulong Hash(MachineInstruction instruction, Gpr[]? gprs)
    {
        ulong hash = Mix((ulong)instruction.Pseudo, instruction.Pseudo == MachinePseudo.None ? (ulong)instruction.Opcode : 0);
        for (int index = 0; index < instruction.Operands.Length; index++)
        {
            MachineOperand operand = instruction.Operands[index];
            hash = operand.Kind switch
            {
                MachineOperandKind.VirtualRegister => operand.IsDef ? hash : Mix(hash, Value(operand, gprs, index)),
                MachineOperandKind.Gpr => Mix(hash, _gprs[operand.Number]),
                MachineOperandKind.CrField or MachineOperandKind.CrBit or MachineOperandKind.Block => hash,
                MachineOperandKind.Zero => Mix(hash, 1),
                MachineOperandKind.Immediate or MachineOperandKind.Symbol or MachineOperandKind.Frame => Mix(hash, Mix((ulong)operand.Number, (ulong)operand.Value)),
            };
        }

        return hash;
    }

    private ulong Value(in MachineOperand operand, Gpr[]? gprs, int index) =>
        gprs is null ? _registers[operand.Number] : _gprs[gprs[index].Number];

    private int Leave(MachineBlock block, MachineInstruction terminator)
    {
        if (block.Successors.Count == 0)
        {
            return -1;
        }

        int taken = 0;
        if (terminator.Pseudo == MachinePseudo.Branch)
        {
            int bit = terminator.Operands[0].Number;
            taken = (_crFields[bit / 4] >> (bit % 4) & 1) == (uint)terminator.Operands[1].Value ? 0 : 1;
        }

        MachineEdge edge = block.Successors[taken];
        if (_allocation is null)
        {
            ulong[] values = Array.ConvertAll(edge.Arguments, argument => _registers[argument.Number]);
            for (int index = 0; index < values.Length; index++)
            {
                _registers[_function.Blocks[edge.Target].Parameters[index].Number] = values[index];
            }
        }

        return edge.Target;
    }

    private ulong Get(Location location) => location.IsGpr ? _gprs[location.Gpr.Number] : _slots[location.SpillSlot];

    private void Set(Location location, ulong value)
    {
        if (location.IsGpr)
        {
            _gprs[location.Gpr.Number] = value;
        }
        else
        {
            _slots[location.SpillSlot] = value;
        }
    }
}

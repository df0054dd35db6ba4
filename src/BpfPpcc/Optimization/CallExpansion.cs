using System.Collections.Immutable;
using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Replaces calls in one function by copies of their callees. Arguments become the values that were passed, the callee's BPF stack a part of
/// the caller's below everything else, and returns jumps to what follows the call.
/// </summary>
internal sealed class CallExpansion(IrFunction caller)
{
    private readonly Dictionary<IrInstruction, (IrFunction Callee, int StackTop)> _calls = [];
    private readonly IrLeaves _leaves = new(caller);
    private readonly IrReplacements _replacements = new(caller);
    private readonly List<IrBlock> _blocks = [];

    public bool IsEmpty => _calls.Count == 0;

    /// <summary>Bytes of BPF stack of the caller with the callees' added so far. Their <see cref="IrFunction.StackSize"/> must be up to date.</summary>
    public int StackSize { get; private set; } = caller.StackSize;

    /// <summary>The call is to be replaced.</summary>
    public void Add(IrInstruction call, IrFunction callee)
    {
        _calls.Add(call, (callee, StackSize));
        StackSize += callee.StackSize;
    }

    /// <summary>Replaces all calls that were added.</summary>
    public void Run()
    {
        foreach (IrBlock block in caller.Blocks)
            Expand(block);
        caller.Blocks.Clear();
        caller.Blocks.AddRange(_blocks);
        _replacements.Apply();
        _leaves.Commit();
        caller.StackSize = StackSize;
        caller.StackReach = Math.Max(caller.StackReach, StackSize);
    }

    /// <summary>Cuts the block behind each call.</summary>
    private void Expand(IrBlock block)
    {
        _blocks.Add(block);
        if (!block.Instructions.Exists(_calls.ContainsKey))
            return;
        IrInstruction[] instructions = [.. block.Instructions];
        block.Instructions.Clear();
        IrBlock current = block;
        foreach (IrInstruction instruction in instructions)
        {
            if (_calls.TryGetValue(instruction, out (IrFunction Callee, int StackTop) inlined))
                current = Expand(instruction, inlined.Callee, inlined.StackTop, current);
            else
                Append(instruction, current);
        }

        foreach (IrBlock successor in current.Successors)
            IrEdges.ReplacePredecessor(successor, block, current);
    }

    /// <summary>Puts a copy of the callee behind <paramref name="before"/>.</summary>
    /// <returns>The block in which what follows the call goes on.</returns>
    private IrBlock Expand(IrInstruction call, IrFunction callee, int stackTop, IrBlock before)
    {
        var copy = new BodyCopy(caller, callee, call, stackTop, _leaves);
        Append(copy.JumpTo(copy.Entry), before);
        copy.Entry.Predecessors.Add(before);
        copy.Fill();
        _blocks.AddRange(copy.Blocks);
        _blocks.Add(copy.Continuation);
        _replacements.Replace(call, copy.Result());
        call.Block = null;
        return copy.Continuation;
    }

    private static void Append(IrInstruction instruction, IrBlock block)
    {
        instruction.Block = block;
        block.Instructions.Add(instruction);
    }

    /// <summary>One copy of a callee's blocks.</summary>
    private sealed class BodyCopy
    {
        private readonly IrFunction _caller;
        private readonly IrFunction _callee;
        private readonly IrInstruction _call;
        private readonly int _stackTop;
        private readonly IrLeaves _leaves;

        /// <summary>By the callee's instructions.</summary>
        private readonly IrInstruction?[] _values;

        /// <summary>By the callee's blocks.</summary>
        private readonly IrBlock[] _copies;
        private readonly List<IrInstruction> _results = [];

        public BodyCopy(IrFunction caller, IrFunction callee, IrInstruction call, int stackTop, IrLeaves leaves)
        {
            _caller = caller;
            _callee = callee;
            _call = call;
            _stackTop = stackTop;
            _leaves = leaves;
            _values = new IrInstruction[callee.InstructionCount];
            _copies = new IrBlock[callee.BlockCount];
            foreach (IrBlock block in callee.Blocks)
            {
                _copies[block.Id] = caller.NewBlock();
                Blocks.Add(_copies[block.Id]);
            }

            Continuation = caller.NewBlock();
        }

        public List<IrBlock> Blocks { get; } = [];

        public IrBlock Entry => Blocks[0];

        /// <summary>Where the returns lead.</summary>
        public IrBlock Continuation { get; }

        public void Fill()
        {
            foreach (IrBlock block in _callee.Blocks)
            {
                foreach (IrInstruction instruction in block.Instructions)
                    Copy(instruction, _copies[block.Id]);
            }

            foreach (IrBlock block in _callee.Blocks)
                Connect(block);
        }

        /// <summary>What the call gave.</summary>
        public IrInstruction Result()
        {
            if (_results.Count == 1)
                return _results[0];
            IrInstruction phi = _caller.NewInstruction(IrOpcode.Phi);
            phi.Operands = [.. _results];
            phi.Position = _call.Position;
            Append(phi, Continuation);
            return phi;
        }

        /// <summary>In no block yet.</summary>
        public IrInstruction JumpTo(IrBlock target)
        {
            IrInstruction jump = _caller.NewInstruction(IrOpcode.Jump);
            jump.Targets = [target];
            jump.Position = _call.Position;
            return jump;
        }

        private void Copy(IrInstruction instruction, IrBlock block)
        {
            if (instruction.Opcode == IrOpcode.Return)
            {
                Append(JumpTo(Continuation), block);
                Continuation.Predecessors.Add(block);
                return;
            }

            if (LeafFor(instruction) is { } leaf)
            {
                _values[instruction.Id] = leaf;
                return;
            }

            IrInstruction copy = _caller.NewCopy(instruction);
            copy.Position = _call.Position;
            copy.StackAccesses = StackAccessesOf(instruction);
            copy.SparesCallers |= _call.SparesCallers;
            _values[instruction.Id] = copy;
            Append(copy, block);
        }

        /// <summary>What stands for a leaf of the callee; null for other instructions.</summary>
        private IrInstruction? LeafFor(IrInstruction instruction) => instruction.Opcode switch
        {
            IrOpcode.Argument => instruction.Immediate < _call.Operands.Length ? _call.Operands[instruction.Immediate] : _leaves.Undefined(),
            IrOpcode.Constant => _leaves.Constant(instruction.Immediate),
            IrOpcode.Undefined => _leaves.Undefined(),
            IrOpcode.StackAddress => _leaves.StackAddress(unchecked(instruction.Immediate - _stackTop)),
            IrOpcode.SymbolAddress => _leaves.SymbolAddress(instruction.Symbol, instruction.Immediate),
            IrOpcode.Phi or IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.UnsignedDivide or IrOpcode.UnsignedRemainder
                or IrOpcode.SignedDivide or IrOpcode.SignedRemainder or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor or IrOpcode.ShiftLeft
                or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic or IrOpcode.RotateLeft or IrOpcode.Negate
                or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned or IrOpcode.Select or IrOpcode.ZeroExtend or IrOpcode.SignExtend
                or IrOpcode.ByteSwap or IrOpcode.Load or IrOpcode.Store or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange
                or IrOpcode.CallExtern or IrOpcode.CallLocal or IrOpcode.CallIndirect or IrOpcode.TailCall or IrOpcode.Jump or IrOpcode.Branch
                or IrOpcode.Return or IrOpcode.Unreachable => null,
        };

        /// <summary>
        /// What an instruction of the callee may access of the callee's stack, now below the caller's, and of the caller's stack, of which it is
        /// known what the call as a whole accesses.
        /// </summary>
        private ImmutableArray<IrStackAccess> StackAccessesOf(IrInstruction instruction)
        {
            bool isAccess = IrRules.IsMemoryAccess(instruction.Opcode);
            if (!isAccess && !IrRules.IsCall(instruction.Opcode))
                return default;
            ImmutableArray<IrStackAccess> own = instruction.StackAccesses;
            if (own.IsDefault && !_callee.KnowsStackAccesses && _callee.StackSize == 0)
                own = [];
            if (own.IsDefault || (_call.StackAccesses.IsDefault && !instruction.SparesCallers))
                return default;

            var accesses = ImmutableArray.CreateBuilder<IrStackAccess>();
            foreach (IrStackAccess access in own)
                accesses.Add(access with { Low = access.Low - _stackTop, High = access.High - _stackTop });
            foreach (IrStackAccess access in instruction.SparesCallers ? [] : _call.StackAccesses)
            {
                if (!isAccess || access.High - access.Low >= instruction.Width / 8)
                    accesses.Add(access with { IsWritten = access.IsWritten && instruction.Opcode != IrOpcode.Load });
            }

            return accesses.ToImmutable();
        }

        private void Connect(IrBlock block)
        {
            IrBlock copy = _copies[block.Id];
            foreach (IrBlock predecessor in block.Predecessors)
                copy.Predecessors.Add(_copies[predecessor.Id]);
            foreach (IrInstruction instruction in copy.Instructions)
            {
                for (int i = 0; i < instruction.Operands.Length; i++)
                    instruction.Operands[i] = ValueOf(instruction.Operands[i]);
                if (instruction.PlainDivisor is { } divisor)
                    instruction.PlainDivisor = ValueOf(divisor);
            }

            if (block.Terminator is { Opcode: IrOpcode.Return } exit)
                _results.Add(ValueOf(exit.Operands[0]));
            else
                Redirect(copy.Terminator);
        }

        private void Redirect(IrInstruction terminator)
        {
            for (int i = 0; i < terminator.Targets.Length; i++)
                terminator.Targets[i] = _copies[terminator.Targets[i].Id];
        }

        private IrInstruction ValueOf(IrInstruction value) => _values[value.Id]!;
    }
}

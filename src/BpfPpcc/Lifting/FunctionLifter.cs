using BpfPpcc.Bpf;
using BpfPpcc.Ir;
using BpfPpcc.Loading;
using BpfPpcc.Verification;

namespace BpfPpcc.Lifting;

/// <summary>
/// Lifts one function: a visit of its blocks in reverse postorder, one BPF instruction after the other, with the current value of every
/// register at hand. Moves, constants and additions to known addresses make no code.
/// </summary>
internal sealed partial class FunctionLifter
{
    private const int StackRegister = 10;

    /// <summary>How often may_goto may be passed in one run of a function: BPF_MAX_LOOPS of the Linux verifier.</summary>
    private const long MayGotoLimit = 8 * 1024 * 1024;

    private readonly LiftingContext _context;
    private readonly BpfFunction _function;
    private readonly ProgramFacts _facts;
    private readonly ControlFlow _controlFlow;
    private readonly IrFunction _lifted;
    private readonly IrBuilder _builder;
    private readonly SsaConstruction _variables;
    private readonly IrBlock[] _blocks;

    /// <summary>By BPF block: the further blocks that lifting its instructions made.</summary>
    private readonly Dictionary<int, List<IrBlock>> _splitBlocks = [];

    /// <summary>Where a failed LD_ABS or LD_IND ends the program, if there is one.</summary>
    private IrBlock? _failure;

    private FunctionLifter(LiftingContext context, BpfFunction function, IrFunction lifted)
    {
        _context = context;
        _function = function;
        _facts = context.Verified.Facts[function.Index];
        _controlFlow = context.ControlFlows[function.Index];
        _lifted = lifted;
        _builder = new IrBuilder(lifted);
        _blocks = new IrBlock[_controlFlow.Blocks.Length];
        for (int i = 0; i < _blocks.Length; i++)
            _blocks[i] = lifted.NewBlock();
        var widths = new byte[RegisterLiveness.VariableCount];
        Array.Fill(widths, (byte)64);
        _variables = new SsaConstruction(lifted, _builder.Leaves, widths);
    }

    /// <summary>What BPF code calls, or C where both may call the same.</summary>
    public static IrFunction Lift(LiftingContext context, BpfFunction function)
    {
        FunctionForm form = context.Forms[function.Index];
        var lifted = new IrFunction
        {
            Name = form.CodeName,
            FunctionIndex = function.Index,
            Kind = function.Role == BpfFunctionRole.Program && !form.HasFront ? IrFunctionKind.Program : IrFunctionKind.Subprogram,
            Symbol = form.Code,
            IsCallableFromC = form.IsCallableFromC && !form.HasFront,
            ReachesTailCall = context.CallGraph.ReachesTailCall[function.Index],
            IsBigEndian = context.Module.IsBigEndian,
            KnowsStackAccesses = context.Verified.Facts[function.Index].StackAccesses is not null,
        };
        new FunctionLifter(context, function, lifted).LiftBlocks();
        return lifted;
    }

    private void LiftBlocks()
    {
        IrBlock entry = LiftEntry();
        foreach (int block in _controlFlow.ReversePostorder())
        {
            if (_blocks[block] != entry)
                EnterBlock(block);
            LiftBlock(block);
        }

        ListBlocks(entry);
        _variables.Complete();
        _builder.Leaves.Commit();
    }

    /// <summary>The entry takes the arguments. It is a block of its own if the first slot is the target of a jump.</summary>
    private IrBlock LiftEntry()
    {
        bool isOwn = _controlFlow.EdgesInto[0] > 0;
        IrBlock entry = isOwn ? _lifted.NewBlock() : _blocks[0];
        ulong live = _context.LiveAtEntry[_function.Index][0];
        _builder.Block = entry;
        _variables.Enter(entry, [live], true);
        for (int register = 1; register <= 5; register++)
        {
            if ((live >> register & 1) != 0)
                _variables[register] = _builder.Leaves.Argument(register - 1);
        }

        if ((live >> RegisterLiveness.MayGotoBudget & 1) != 0)
            _variables[RegisterLiveness.MayGotoBudget] = _builder.Constant(MayGotoLimit);
        if (isOwn)
        {
            _builder.Jump(_blocks[0]);
            _variables.Leave(entry);
        }

        return entry;
    }

    private void EnterBlock(int block)
    {
        int edges = _controlFlow.EdgesInto[block];
        if (block == 0)
            edges++;
        _builder.Block = _blocks[block];
        ulong live = _context.LiveAtEntry[_function.Index][block];
        _variables.Enter(_blocks[block], [live], _blocks[block].Predecessors.Count == edges);
    }

    private void LiftBlock(int index)
    {
        BpfBlock block = _controlFlow.Blocks[index];
        for (int slot = block.First; slot < block.End; slot += ControlFlow.Length(_function.Instructions[slot]))
        {
            _builder.Position = slot;
            LiftInstruction(_function.Instructions[slot], slot, index);
            NoteStackAccesses(slot);
        }

        if (!EndsBlock())
            LeaveBlock(block);
        _variables.Leave(_builder.Block!);
    }

    private void LeaveBlock(BpfBlock block)
    {
        if (block.Next >= 0)
            _builder.Jump(_blocks[block.Next]);
        else
            _builder.Unreachable();
    }

    private bool EndsBlock() => _builder.Block!.Instructions is [.., { IsTerminator: true }];

    /// <summary>In the order of the slots.</summary>
    private void ListBlocks(IrBlock entry)
    {
        if (entry != _blocks[0])
            _lifted.Blocks.Add(entry);
        for (int i = 0; i < _blocks.Length; i++)
        {
            _lifted.Blocks.Add(_blocks[i]);
            if (_splitBlocks.TryGetValue(i, out List<IrBlock>? split))
                _lifted.Blocks.AddRange(split);
        }

        if (_failure != null)
            _lifted.Blocks.Add(_failure);
    }

    private void LiftInstruction(BpfInstruction instruction, int slot, int block)
    {
        switch (instruction.Class)
        {
            case BpfClass.ALU:
                LiftAlu(instruction, 32);
                break;
            case BpfClass.ALU64:
                LiftAlu(instruction, 64);
                break;
            case BpfClass.LD when instruction.IsLoadImmediate64:
                LiftLoadImmediate64(instruction, slot);
                break;
            case BpfClass.LD:
                LiftLegacyLoad(instruction, slot, block);
                break;
            case BpfClass.LDX:
                LiftLoad(instruction, slot);
                break;
            case BpfClass.ST:
                Store(instruction, _builder.Constant(instruction.Imm));
                break;
            case BpfClass.STX when instruction.IsAtomic:
                LiftAtomic(instruction);
                break;
            case BpfClass.STX:
                Store(instruction, Read(instruction.Src));
                break;
            case BpfClass.JMP or BpfClass.JMP32 when instruction.IsCall || instruction.IsCallIndirect:
                LiftCall(slot);
                break;
            case BpfClass.JMP or BpfClass.JMP32 when instruction.IsExit:
                LiftExit();
                break;
            case BpfClass.JMP or BpfClass.JMP32:
                LiftJump(instruction, _controlFlow.Blocks[block]);
                break;
        }
    }

    /// <summary>C sees the result extended where this function is what C enters; BPF callers see r0 as it is.</summary>
    private void LiftExit()
    {
        IrInstruction result = Read(0);
        _builder.Return(_lifted.IsCallableFromC ? CFront.ExtendResult(_builder, _function, result) : result);
    }

    private void LiftJump(BpfInstruction instruction, BpfBlock block)
    {
        if (block.Taken < 0 || block.Next < 0)
        {
            _builder.Jump(_blocks[Math.Max(block.Taken, block.Next)]);
        }
        else if (instruction.JumpCode == BpfJumpCode.JCOND)
        {
            LiftMayGoto(_blocks[block.Taken], _blocks[block.Next]);
        }
        else
        {
            int width = instruction.Class == BpfClass.JMP32 ? 32 : 64;
            IrInstruction right = Operand(instruction);
            IrCondition condition = Condition(instruction.JumpCode);
            _builder.Branch(condition, width, Read(instruction.Dst), right, _blocks[block.Taken], _blocks[block.Next]);
        }
    }

    /// <summary>Jumps once the budget is used up; until then it uses one of it and falls through.</summary>
    private void LiftMayGoto(IrBlock taken, IrBlock next)
    {
        IrInstruction budget = _variables[RegisterLiveness.MayGotoBudget];
        IrInstruction rest = _builder.Binary(IrOpcode.Add, 64, budget, _builder.Constant(-1));
        _variables[RegisterLiveness.MayGotoBudget] = rest;
        _builder.Branch(IrCondition.Equal, 64, budget, _builder.Constant(0), taken, next);
    }

    private static IrCondition Condition(BpfJumpCode code) => code switch
    {
        BpfJumpCode.JEQ => IrCondition.Equal,
        BpfJumpCode.JGT => IrCondition.UnsignedGreater,
        BpfJumpCode.JGE => IrCondition.UnsignedGreaterOrEqual,
        BpfJumpCode.JSET => IrCondition.Test,
        BpfJumpCode.JNE => IrCondition.NotEqual,
        BpfJumpCode.JSGT => IrCondition.SignedGreater,
        BpfJumpCode.JSGE => IrCondition.SignedGreaterOrEqual,
        BpfJumpCode.JLT => IrCondition.UnsignedLess,
        BpfJumpCode.JLE => IrCondition.UnsignedLessOrEqual,
        BpfJumpCode.JSLT => IrCondition.SignedLess,
        BpfJumpCode.JSLE => IrCondition.SignedLessOrEqual,
        BpfJumpCode.JA or BpfJumpCode.CALL or BpfJumpCode.EXIT or BpfJumpCode.JCOND =>
            throw new InvalidOperationException($"{code} is not a comparison"),
    };

    private IrInstruction Read(int register) => register == StackRegister ? _builder.Leaves.StackAddress(0) : _variables[register];

    private void Write(int register, IrInstruction value) => _variables[register] = value;

    /// <summary>The second operand of an arithmetic instruction or a jump.</summary>
    private IrInstruction Operand(BpfInstruction instruction) => instruction.Source switch
    {
        BpfSource.K => _builder.Constant(instruction.Imm),
        BpfSource.X => Read(instruction.Src),
    };
}

namespace BpfPpcc.Ir;

/// <summary>Which function of a module calls which others of it by name, and how often.</summary>
public sealed class IrCallGraph
{
    private readonly Dictionary<IrFunction, List<IrInstruction>> _calls = [];
    private readonly Dictionary<IrFunction, int> _callers = [];
    private readonly IrModule _module;

    public IrCallGraph(IrModule module)
    {
        _module = module;
        foreach (IrFunction function in module.Functions)
            Update(function);
    }

    /// <summary>No function calls another.</summary>
    public bool IsEmpty => _callers.Count == 0;

    /// <summary>The calls that the function makes, in the order of its blocks.</summary>
    public IReadOnlyList<IrInstruction> CallsIn(IrFunction function) => _calls[function];

    /// <summary>How many calls of the function there are.</summary>
    public int CallsOf(IrFunction function) => _callers.GetValueOrDefault(function);

    public IrFunction CalleeOf(IrInstruction call) => _module.FunctionsBySymbol[call.Symbol];

    /// <summary>To be called when the calls in a function have changed.</summary>
    public void Update(IrFunction function)
    {
        Forget(function);
        List<IrInstruction> calls = [];
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.Opcode == IrOpcode.CallLocal)
                    calls.Add(instruction);
            }
        }

        _calls[function] = calls;
        foreach (IrInstruction call in calls)
            _callers[CalleeOf(call)] = CallsOf(CalleeOf(call)) + 1;
    }

    /// <summary>To be called when a function goes: its calls do not count any more.</summary>
    public void Forget(IrFunction function)
    {
        foreach (IrInstruction call in _calls.GetValueOrDefault(function, []))
            _callers[CalleeOf(call)]--;
        _calls[function] = [];
    }

    /// <summary>All functions, each after those that it calls: verification refuses recursion.</summary>
    public List<IrFunction> CalleesFirst()
    {
        var order = new List<IrFunction>(_module.Functions.Length);
        var seen = new HashSet<IrFunction>();
        var stack = new Stack<(IrFunction Function, int Next)>();
        foreach (IrFunction root in _module.Functions)
        {
            if (seen.Add(root))
                stack.Push((root, 0));
            while (stack.TryPop(out (IrFunction Function, int Next) top))
            {
                if (top.Next == _calls[top.Function].Count)
                {
                    order.Add(top.Function);
                    continue;
                }

                stack.Push((top.Function, top.Next + 1));
                IrFunction callee = CalleeOf(_calls[top.Function][top.Next]);
                if (seen.Add(callee))
                    stack.Push((callee, 0));
            }
        }

        return order;
    }
}

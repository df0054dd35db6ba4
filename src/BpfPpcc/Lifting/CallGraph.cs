using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Verification;

namespace BpfPpcc.Lifting;

/// <summary>Who calls whom among the functions of a module, over reachable code only.</summary>
internal sealed class CallGraph
{
    private readonly List<int>[] _callees;

    private CallGraph(int count)
    {
        _callees = new List<int>[count];
        for (int i = 0; i < count; i++)
            _callees[i] = [];
        IsCalled = new bool[count];
        IsAddressTaken = new bool[count];
        ReachesTailCall = new bool[count];
    }

    /// <summary>By function: another function of the module calls it directly.</summary>
    public bool[] IsCalled { get; }

    /// <summary>By function: code or data holds its address, so that C code can call it.</summary>
    public bool[] IsAddressTaken { get; }

    /// <summary>
    /// By function: it, or a function that it calls directly, makes a tail call. A callback is called by C code, and its tail calls are its own.
    /// </summary>
    public bool[] ReachesTailCall { get; }

    public static CallGraph Of(VerifiedModule verified)
    {
        var graph = new CallGraph(verified.Module.Functions.Length);
        foreach (BpfFunction function in verified.Module.Functions)
            graph.AddFunction(function, verified.Facts[function.Index]);
        foreach (BpfDataSection section in verified.Module.DataSections)
        {
            foreach (BpfDataRelocation relocation in section.Relocations)
            {
                if (relocation.Target is BpfReference.FunctionAddress address)
                    graph.IsAddressTaken[address.Function] = true;
            }
        }

        graph.PropagateTailCalls();
        return graph;
    }

    /// <summary>All functions, each after those that it calls (but for recursion).</summary>
    public List<int> CalleesFirst()
    {
        var order = new List<int>(_callees.Length);
        var isSeen = new bool[_callees.Length];
        var stack = new Stack<(int Function, int Next)>();
        for (int root = 0; root < _callees.Length; root++)
        {
            if (isSeen[root])
                continue;
            isSeen[root] = true;
            stack.Push((root, 0));
            while (stack.TryPop(out (int Function, int Next) top))
            {
                if (top.Next == _callees[top.Function].Count)
                {
                    order.Add(top.Function);
                    continue;
                }

                stack.Push((top.Function, top.Next + 1));
                int callee = _callees[top.Function][top.Next];
                if (isSeen[callee])
                    continue;
                isSeen[callee] = true;
                stack.Push((callee, 0));
            }
        }

        return order;
    }

    private void AddFunction(BpfFunction function, ProgramFacts facts)
    {
        for (int slot = 0; slot < function.Instructions.Length; slot++)
        {
            if (!facts.IsReachable[slot])
                continue;
            BpfInstruction instruction = function.Instructions[slot];
            if (instruction.IsLoadImmediate64)
            {
                if (function.References.GetValueOrDefault(slot) is BpfReference.FunctionAddress address)
                    IsAddressTaken[address.Function] = true;
            }
            else if (instruction.IsCall)
            {
                AddCall(function, slot);
            }
        }
    }

    private void AddCall(BpfFunction function, int slot)
    {
        CallSite call = CallSite.At(function, slot);
        if (call.Kind == CallKind.TailCall)
            ReachesTailCall[function.Index] = true;
        if (call.Kind != CallKind.Local)
            return;
        _callees[function.Index].Add(call.Number);
        IsCalled[call.Number] = true;
    }

    private void PropagateTailCalls()
    {
        var callers = new List<int>[_callees.Length];
        for (int i = 0; i < callers.Length; i++)
            callers[i] = [];
        for (int caller = 0; caller < _callees.Length; caller++)
        {
            foreach (int callee in _callees[caller])
                callers[callee].Add(caller);
        }

        var work = new Stack<int>();
        for (int function = 0; function < ReachesTailCall.Length; function++)
        {
            if (ReachesTailCall[function])
                work.Push(function);
        }

        while (work.TryPop(out int function))
        {
            foreach (int caller in callers[function])
            {
                if (ReachesTailCall[caller])
                    continue;
                ReachesTailCall[caller] = true;
                work.Push(caller);
            }
        }
    }
}

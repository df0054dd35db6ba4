using System.Globalization;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>
/// Direct calls between the functions of a module: no recursion, and no chain of more than eight frames, which is Linux's bound and the
/// promise that the stack needs no run-time check. Callbacks are called by helpers and are not edges of this graph.
/// </summary>
internal static class CallGraph
{
    /// <summary>Linux's MAX_CALL_FRAMES: the program and seven subprograms.</summary>
    private const int MaximumFrames = 8;

    private const int Unvisited = 0;
    private const int OnPath = -1;

    /// <summary>True if the call graph is sound.</summary>
    /// <param name="malformed">By function: an error of its form, or null. What malformed functions call does not count.</param>
    public static bool Check(BpfModule module, Diagnostic?[] malformed, DiagnosticBag diagnostics)
    {
        int[][] callees = FindCallees(module, malformed);
        int[] depths = new int[callees.Length];
        int[] deepestCallee = new int[callees.Length];
        bool isSound = true;
        foreach (BpfFunction function in module.Functions)
            isSound &= Measure(module, function.Index, callees, depths, deepestCallee, diagnostics);
        return isSound && CheckDepth(module, callees, depths, deepestCallee, diagnostics);
    }

    private static int[][] FindCallees(BpfModule module, Diagnostic?[] malformed)
    {
        int[][] callees = new int[module.Functions.Length][];
        foreach (BpfFunction function in module.Functions)
        {
            var own = new SortedSet<int>();
            foreach (BpfReference reference in function.References.Values)
            {
                if (reference is BpfReference.FunctionCall call && malformed[function.Index] is null)
                    own.Add(call.Function);
            }

            callees[function.Index] = [.. own];
        }

        return callees;
    }

    /// <summary>
    /// Sets the depth (in frames, itself included) of a function and all that it reaches, by depth-first search with a stack of its own:
    /// a hostile module's chain may be long.
    /// </summary>
    private static bool Measure(
        BpfModule module, int root, int[][] callees, int[] depths, int[] deepestCallee, DiagnosticBag diagnostics)
    {
        if (depths[root] != Unvisited)
            return true;
        bool isSound = true;
        var path = new Stack<(int Function, int Next, int Depth)>();
        path.Push((root, 0, 1));
        depths[root] = OnPath;
        while (path.TryPop(out (int Function, int Next, int Depth) top))
        {
            if (top.Next > 0)
                Deepen(ref top, callees[top.Function][top.Next - 1], depths, deepestCallee);
            if (top.Next == callees[top.Function].Length)
            {
                depths[top.Function] = top.Depth;
                continue;
            }

            int callee = callees[top.Function][top.Next];
            path.Push((top.Function, top.Next + 1, top.Depth));
            if (depths[callee] == Unvisited)
            {
                depths[callee] = OnPath;
                path.Push((callee, 0, 1));
            }
            else if (depths[callee] == OnPath)
            {
                isSound = false;
                ReportRecursion(module, top.Function, callee, diagnostics);
            }
        }

        return isSound;
    }

    private static void Deepen(ref (int Function, int Next, int Depth) top, int callee, int[] depths, int[] deepestCallee)
    {
        if (depths[callee] < top.Depth)
            return;
        top.Depth = depths[callee] + 1;
        deepestCallee[top.Function] = callee;
    }

    private static void ReportRecursion(BpfModule module, int caller, int callee, DiagnosticBag diagnostics)
    {
        BpfFunction function = module.Functions[caller];
        int slot = FindCall(function, callee);
        string message = caller == callee
            ? $"{function.Name} calls itself"
            : $"the call of {module.Functions[callee].Name} leads back to {function.Name}";
        diagnostics.Error(
            DiagnosticId.RecursiveCall, $"{message}: BPF functions may not recurse", SlotLocation.Of(module, function, slot),
            "write it as a loop; the stack of a BPF program has a fixed bound");
    }

    private static int FindCall(BpfFunction caller, int callee)
    {
        int first = int.MaxValue;
        foreach ((int slot, BpfReference reference) in caller.References)
        {
            if (reference is BpfReference.FunctionCall call && call.Function == callee)
                first = Math.Min(first, slot);
        }

        return first;
    }

    /// <summary>Reports chains that are too long once each, at the function that nobody calls.</summary>
    private static bool CheckDepth(BpfModule module, int[][] callees, int[] depths, int[] deepestCallee, DiagnosticBag diagnostics)
    {
        bool[] isCalled = new bool[depths.Length];
        foreach (int[] own in callees)
        {
            foreach (int callee in own)
                isCalled[callee] = true;
        }

        bool isSound = true;
        foreach (BpfFunction function in module.Functions)
        {
            if (depths[function.Index] <= MaximumFrames || isCalled[function.Index])
                continue;
            isSound = false;
            diagnostics.Error(
                DiagnosticId.CallDepthExceeded,
                string.Create(CultureInfo.InvariantCulture, $"calls nest {depths[function.Index]} frames deep, more than the limit of {MaximumFrames}: ")
                    + Chain(module, function.Index, depths, deepestCallee),
                SlotLocation.Of(module, function),
                "let the compiler inline some of these functions (static inline, or __always_inline)");
        }

        return isSound;
    }

    private static string Chain(BpfModule module, int function, int[] depths, int[] deepestCallee)
    {
        const int MaximumNames = 12;
        var names = new List<string>();
        for (int i = 0; i < MaximumNames; i++)
        {
            names.Add(module.Functions[function].Name);
            if (depths[function] == 1)
                return string.Join(" > ", names);
            function = deepestCallee[function];
        }

        return string.Join(" > ", names) + " > ...";
    }
}

using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>Which functions can run when a program does.</summary>
internal static class CallReach
{
    /// <summary>The function itself, all that it calls, and all whose address it takes; in ascending order.</summary>
    public static SortedSet<int> From(CodeImage image, int function)
    {
        var reached = new SortedSet<int> { function };
        var work = new Stack<int>();
        work.Push(function);
        while (work.TryPop(out int current))
        {
            for (int slot = image.Starts[current]; slot < image.Starts[current + 1]; slot++)
            {
                int callee = image.References[slot] switch
                {
                    BpfReference.FunctionCall call => call.Function,
                    BpfReference.FunctionAddress address => address.Function,
                    _ => -1,
                };
                if (callee >= 0 && reached.Add(callee))
                    work.Push(callee);
            }
        }

        return reached;
    }
}

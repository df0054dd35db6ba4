using System.Collections.Immutable;
using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// The stack of the deepest chain of calls: 512 bytes in all (MAX_BPF_STACK), and at most 256 below a function that makes a tail call, which
/// would start anew with the rest. Callbacks of timers run on a stack of their own.
/// </summary>
internal static class StackDepthCheck
{
    private const int MaximumBytes = 512;
    private const int MaximumBytesBelowTailCall = 256;
    private const int MaximumFrames = 8;
    private const int Granularity = 16;

    /// <summary>What is wrong, or null.</summary>
    public static WalkError? Check(CodeImage image, BpfFunction program, WalkFacts facts)
    {
        WalkError? error = Check(image, program.Index, facts, 0, []);
        foreach (int callback in facts.AsyncCallbacks)
            error ??= Check(image, callback, facts, 0, []);
        return error;
    }

    /// <param name="callers">The functions above, outermost first.</param>
    private static WalkError? Check(CodeImage image, int function, WalkFacts facts, int bytesAbove, ImmutableList<int> callers)
    {
        ImmutableList<int> chain = callers.Add(function);
        int start = image.Starts[function], end = image.Starts[function + 1];
        if (bytesAbove >= MaximumBytesBelowTailCall && chain.Count > 1 && FindTailCall(image, start, end) is var tailCall and >= 0)
        {
            return new WalkError(
                DiagnosticId.StackCombined, $"a tail call is made while the callers use {Text(bytesAbove)} bytes of stack; {MaximumBytesBelowTailCall} are the limit there",
                "make local variables smaller, or make the tail call in the program itself", tailCall)
            {
                Notes = Notes(image, callers, facts),
            };
        }

        int bytes = bytesAbove + Rounded(facts.StackDepth[function]);
        if (bytes > MaximumBytes)
        {
            string who = chain.Count == 1 ? "the function uses" : "the functions that call one another down to here use together";
            return new WalkError(
                DiagnosticId.StackCombined, $"{who} {Text(bytes)} bytes of stack; {MaximumBytes} are the limit",
                "make local variables smaller, or move large ones into a map (BPF_MAP_TYPE_PERCPU_ARRAY with one element)", start)
            {
                Notes = Notes(image, chain, facts),
            };
        }

        if (chain.Count > MaximumFrames)
            return new WalkError(DiagnosticId.CallDepthExceeded, $"calls nest more than {MaximumFrames} frames deep", "let the compiler inline some functions", start);
        for (int slot = start; slot < end; slot++)
        {
            int callee = image.References[slot] switch
            {
                BpfReference.FunctionCall call => call.Function,
                BpfReference.FunctionAddress address when !facts.AsyncCallbacks.Contains(address.Function) => address.Function,
                _ => -1,
            };
            if (callee >= 0 && facts.Reached[slot] && Check(image, callee, facts, bytes, chain) is { } error)
                return error;
        }

        return null;
    }

    private static int Rounded(int bytes) => (bytes + Granularity - 1) / Granularity * Granularity;

    private static ImmutableArray<WalkNote> Notes(CodeImage image, ImmutableList<int> chain, WalkFacts facts) =>
        [.. chain.Select(function => new WalkNote(image.Starts[function], $"{image.Module.Functions[function].Name} uses {Text(Rounded(facts.StackDepth[function]))} bytes"))];

    private static int FindTailCall(CodeImage image, int start, int end)
    {
        for (int slot = start; slot < end; slot++)
        {
            if (image.Code[slot] is { Opcode: 0x85, Src: BpfPseudo.HelperCall, Imm: BpfHelpers.TailCall } && image.References[slot] is null)
                return slot;
        }

        return -1;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

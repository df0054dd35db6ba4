using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Lifting;

/// <summary>What a call instruction calls.</summary>
internal enum CallKind
{
    /// <summary>A numbered helper function, except bpf_tail_call.</summary>
    Helper,

    /// <summary>Helper 12, bpf_tail_call.</summary>
    TailCall,

    /// <summary>A function of the module.</summary>
    Local,

    /// <summary>An undefined function.</summary>
    Extern,

    /// <summary>The function that a register says.</summary>
    Indirect,
}

/// <summary>A call instruction with what loading found out about it.</summary>
/// <param name="Number">Helper: its number. Local: index of the function. Else 0.</param>
/// <param name="Extern">Extern: what is called.</param>
/// <param name="Host">Helper: what is called, if it is one of the host.</param>
internal readonly record struct CallSite(CallKind Kind, int Number, BpfReference.ExternCall? Extern, HostHelper? Host = null)
{
    /// <summary>Registers r1 to r5, one bit each by number.</summary>
    public const int AllArguments = 0b111110;

    private const string HelperPrefix = "bpf_helper_";

    /// <summary>The call in <paramref name="slot"/>, which holds CALL or callx.</summary>
    public static CallSite At(BpfFunction function, int slot)
    {
        BpfInstruction instruction = function.Instructions[slot];
        if (instruction.IsCallIndirect)
            return new CallSite(CallKind.Indirect, 0, null);
        return function.References.GetValueOrDefault(slot) switch
        {
            BpfReference.FunctionCall call => new CallSite(CallKind.Local, call.Function, null),
            BpfReference.ExternCall call => new CallSite(CallKind.Extern, 0, call),
            BpfReference.HostCall call => new CallSite(CallKind.Helper, call.Helper.Id, null, call.Helper),
            null when instruction.Src == BpfPseudo.HelperCall => Helper(instruction.Imm),
            _ => throw new InvalidOperationException($"{function.Name}: call {slot} passed the structure check without a target"),
        };
    }

    /// <summary>The C name under which code calls a helper (object-abi.md, Helpers and externs).</summary>
    /// <param name="host">The helper, if it is one of the host.</param>
    public static string HelperName(int id, HostHelper? host) => (host?.Name ?? BpfHelpers.NameOf(id)) is { } name
        ? HelperPrefix + name
        : string.Create(CultureInfo.InvariantCulture, $"{HelperPrefix}id_{id}");

    /// <summary>How many arguments a helper takes: five if it is not known.</summary>
    public static int ArgumentsOfHelper(int id, HostHelper? host) => host?.Arguments ?? BpfHelpers.Find(id)?.Arguments ?? 5;

    /// <summary>The registers that the call reads as arguments, one bit each by number.</summary>
    /// <param name="localArguments">By function: the argument registers that it reads.</param>
    public int ArgumentRegisters(int[] localArguments) => Kind switch
    {
        CallKind.Helper => First(ArgumentsOfHelper(Number, Host)),
        CallKind.TailCall => First(3),
        CallKind.Local => localArguments[Number],
        CallKind.Extern => First(Extern!.Prototype is { } prototype ? Math.Min(5, prototype.Parameters.Length) : 5),
        CallKind.Indirect => AllArguments,
    };

    private static CallSite Helper(int id) => new(id == BpfHelpers.TailCall ? CallKind.TailCall : CallKind.Helper, id, null);

    /// <summary>r1 to rN.</summary>
    private static int First(int count) => AllArguments & ((1 << (count + 1)) - 1);
}

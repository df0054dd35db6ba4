using BpfPpcc.Symbols;

namespace BpfPpcc.Ir;

/// <summary>What a use of the address r10 + n lets happen to the BPF stack.</summary>
public enum StackUse
{
    /// <summary>Nothing: it is compared.</summary>
    None,

    /// <summary>The access of this load or store, no more.</summary>
    Access,

    /// <summary>C code gets an object that begins there: bytes from n upwards may be read and written, now and later.</summary>
    Object,

    /// <summary>Code of this module may compute other addresses of the frame from it.</summary>
    Anywhere,
}

/// <summary>How much BPF stack a function needs, from the accesses and the addresses that are left in its code.</summary>
public static class StackExtent
{
    /// <summary>RFC 9669 leaves the size to the platform; Linux gives every function 512 bytes (MAX_BPF_STACK).</summary>
    public const int Full = 512;

    /// <summary>Code that names stack below this is broken, and gets no more.</summary>
    private const int Limit = 16 * 1024;

    /// <summary>Sets <see cref="IrFunction.StackSize"/>.</summary>
    public static void Update(IrFunction function, SymbolTable symbols)
    {
        bool hasFunctionPointers = HasFunctionPointers(symbols);
        long lowest = 0;
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                for (int i = 0; i < instruction.Operands.Length; i++)
                {
                    IrInstruction operand = instruction.Operands[i];
                    if (operand.Opcode != IrOpcode.StackAddress)
                        continue;
                    lowest = Math.Min(lowest, UseOf(instruction, i, symbols, hasFunctionPointers) switch
                    {
                        StackUse.None => 0,
                        StackUse.Access => unchecked(operand.Immediate + instruction.Immediate),
                        StackUse.Object => operand.Immediate,
                        StackUse.Anywhere => Math.Min(operand.Immediate, -Full),
                    });
                }
            }
        }

        function.StackSize = (int)Math.Min(Limit, (-Math.Max(lowest, -Limit) + 7) & ~7L);
    }

    /// <summary>What <paramref name="user"/> does with its operand, a stack address.</summary>
    public static StackUse UseOf(IrInstruction user, int operand, SymbolTable symbols, bool hasFunctionPointers)
    {
        if (operand == 0 && IrRules.IsMemoryAccess(user.Opcode))
            return StackUse.Access;
        if (user.Opcode == IrOpcode.Branch || (user.Opcode == IrOpcode.Select && operand < 2))
            return StackUse.None;
        bool isForC = user.Opcode == IrOpcode.CallExtern && !(hasFunctionPointers && MayCallBack(user, symbols));
        return isForC ? StackUse.Object : StackUse.Anywhere;
    }

    /// <summary>Functions of this module can be called by C code.</summary>
    public static bool HasFunctionPointers(SymbolTable symbols)
    {
        foreach (Symbol symbol in symbols.Symbols)
        {
            if (symbol.Kind == SymbolKind.FunctionPointer)
                return true;
        }

        return false;
    }

    /// <summary>One of the arguments is, or may be, a function of this module.</summary>
    private static bool MayCallBack(IrInstruction call, SymbolTable symbols)
    {
        foreach (IrInstruction argument in call.Operands)
        {
            if (argument.Opcode == IrOpcode.SymbolAddress && symbols[argument.Symbol].Kind == SymbolKind.FunctionPointer)
                return true;
            if (argument.Opcode is IrOpcode.Phi or IrOpcode.Select or IrOpcode.Load or IrOpcode.Argument || IrRules.IsCall(argument.Opcode))
                return true;
        }

        return false;
    }
}

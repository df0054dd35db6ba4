using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>
/// Loads and stores (Power ISA book I, 3.3.2 to 3.3.4). ld, std and lwa take displacements that are multiples of 4 only. Acquire is lwsync
/// behind the load, release lwsync before the store, as Linux does it.
/// </summary>
internal static class MemoryRules
{
    /// <summary>The two forms of a memory instruction.</summary>
    private readonly record struct Forms(Ppc64Opcode Displaced, Ppc64Opcode Indexed, DisplacementKind Kind);

    public static void SelectLoad(SelectionContext context, IrInstruction load, VirtualRegister result)
    {
        EmitLoad(context, load, result, load.IsSigned);
        if (load.IsOrdered)
            context.Emit(Lwsync);
    }

    /// <summary>The load, zero- or sign-extended to 64 bits.</summary>
    public static void EmitLoad(SelectionContext context, IrInstruction load, VirtualRegister result, bool isSigned)
    {
        // There is no load that extends the sign of a byte.
        bool extendsByte = isSigned && load.Width == 8;
        VirtualRegister loaded = extendsByte ? context.NewRegister() : result;
        Forms forms = LoadForms(load.Width, isSigned);
        EmitAccess(context, forms, Def(loaded), AddressRules.Operands(context, load, forms.Kind));
        if (extendsByte)
            context.Emit(Extsb, Def(result), Use(loaded));
    }

    /// <summary>The load with its bytes reversed, zero-extended.</summary>
    public static void EmitByteReversedLoad(SelectionContext context, IrInstruction load, VirtualRegister result)
    {
        Ppc64Opcode opcode = load.Width switch
        {
            16 => Lhbrx,
            32 => Lwbrx,
            64 => Ldbrx,
            _ => throw new InvalidOperationException("no byte-reversed load of this width"),
        };
        EmitAccess(context, new Forms(opcode, opcode, DisplacementKind.None), Def(result),
            AddressRules.Operands(context, load, DisplacementKind.None));
    }

    public static void SelectStore(SelectionContext context, IrInstruction store)
    {
        if (store.IsOrdered)
            context.Emit(Lwsync);
        IrInstruction value = store.Operands[1];
        if (value.Opcode == IrOpcode.ByteSwap && value.Width == store.Width && context.IsOnlyUse(value))
        {
            EmitByteReversedStore(context, store, value);
            return;
        }

        Forms forms = StoreForms(store.Width);
        EmitAccess(context, forms, UseStored(context, value, store.Width), AddressRules.Operands(context, store, forms.Kind));
    }

    private static void EmitByteReversedStore(SelectionContext context, IrInstruction store, IrInstruction swap)
    {
        Ppc64Opcode opcode = store.Width switch
        {
            16 => Sthbrx,
            32 => Stwbrx,
            64 => Stdbrx,
            _ => throw new InvalidOperationException("no byte-reversed store of this width"),
        };
        EmitAccess(context, new Forms(opcode, opcode, DisplacementKind.None), context.UseLow(swap.Operands[0], store.Width),
            AddressRules.Operands(context, store, DisplacementKind.None));
    }

    private static void EmitAccess(SelectionContext context, Forms forms, MachineOperand register, AddressOperands address)
    {
        if (address.IsIndexed)
            context.Emit(forms.Indexed, register, address.Base, address.Other);
        else
            context.Emit(forms.Displaced, register, address.Other, address.Base);
    }

    /// <summary>The value to store; of a constant the form that is cheapest to make.</summary>
    private static MachineOperand UseStored(SelectionContext context, IrInstruction value, int width)
    {
        if (!ValueFacts.TryConstant(value, out long constant))
            return context.UseLow(value, width);
        int unused = 64 - width;
        return context.UseImmediate(constant << unused >> unused);
    }

    private static Forms LoadForms(int width, bool isSigned) => (width, isSigned) switch
    {
        (8, _) => new Forms(Lbz, Lbzx, DisplacementKind.D),
        (16, false) => new Forms(Lhz, Lhzx, DisplacementKind.D),
        (16, true) => new Forms(Lha, Lhax, DisplacementKind.D),
        (32, false) => new Forms(Lwz, Lwzx, DisplacementKind.D),
        (32, true) => new Forms(Lwa, Lwax, DisplacementKind.DS),
        (64, _) => new Forms(Ld, Ldx, DisplacementKind.DS),
        _ => throw new InvalidOperationException("no load of this width"),
    };

    private static Forms StoreForms(int width) => width switch
    {
        8 => new Forms(Stb, Stbx, DisplacementKind.D),
        16 => new Forms(Sth, Sthx, DisplacementKind.D),
        32 => new Forms(Stw, Stwx, DisplacementKind.D),
        64 => new Forms(Std, Stdx, DisplacementKind.DS),
        _ => throw new InvalidOperationException("no store of this width"),
    };
}

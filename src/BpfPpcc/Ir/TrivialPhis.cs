namespace BpfPpcc.Ir;

/// <summary>Phis of a construction of SSA form that are not needed: all their operands are one value, or the phi itself.</summary>
public static class TrivialPhis
{
    /// <summary>Takes them out of the function and out of what uses them.</summary>
    /// <param name="phis">New ones, with operands, and the variables that they stand for.</param>
    public static void Remove(IrFunction function, IrLeaves leaves, List<(IrInstruction Phi, int Variable)> phis)
    {
        var replacements = new IrReplacements(function);
        var users = new Dictionary<IrInstruction, List<IrInstruction>>(phis.Count);
        var work = new Queue<IrInstruction>(phis.Count);
        foreach ((IrInstruction phi, _) in phis)
            users.Add(phi, []);
        foreach ((IrInstruction phi, _) in phis)
        {
            work.Enqueue(phi);
            foreach (IrInstruction operand in phi.Operands)
            {
                if (operand != phi && users.TryGetValue(operand, out List<IrInstruction>? uses))
                    uses.Add(phi);
            }
        }

        while (work.TryDequeue(out IrInstruction? phi))
        {
            if (replacements.IsReplaced(phi) || !IsTrivial(phi, replacements, out IrInstruction? value))
                continue;
            value ??= leaves.Undefined();
            replacements.Replace(phi, value);
            List<IrInstruction> uses = users[phi];
            foreach (IrInstruction user in uses)
                work.Enqueue(user);
            if (users.TryGetValue(value, out List<IrInstruction>? inherited))
                inherited.AddRange(uses);
        }

        replacements.Apply();
    }

    /// <summary>All operands are one value or the phi itself. Without any value it is read only where it was never written.</summary>
    private static bool IsTrivial(IrInstruction phi, IrReplacements replacements, out IrInstruction? value)
    {
        value = null;
        foreach (IrInstruction operand in phi.Operands)
        {
            IrInstruction resolved = replacements.Resolve(operand);
            if (resolved == phi || resolved == value)
                continue;
            if (value != null)
                return false;
            value = resolved;
        }

        return true;
    }
}

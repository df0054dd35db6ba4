using BpfPpcc.Mir;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// What it costs not to have a value in a register: the loads, stores and repeated computations that spilling adds, each by the frequency
/// of its block. The unit is one load or store per call of the function.
/// </summary>
internal sealed class SpillCosts(Liveness liveness, FrameSplitter frame)
{
    /// <summary>A move between registers that a load or store takes the place of.</summary>
    private const float MoveCost = 0.3f;

    private const float InstructionCost = 0.4f;

    /// <summary>Saving and restoring a callee-saved register that is not used yet: a store and a load on every way through.</summary>
    public float CalleeSaved { get; } = 2 * liveness.EntryFrequency;

    /// <summary>Sets size, spill cost and weight of a bundle, and whether it crosses a call.</summary>
    public void Measure(Bundle bundle)
    {
        float cost = 0;
        float density = 0;
        int size = 0;
        foreach (ref readonly LiveRange range in bundle.Ranges.AsSpan())
        {
            size += range.To - range.From;
            bundle.CrossesCall |= liveness.CallsIn(range.From, range.To) > 0;
            Measure(range, ref cost, ref density);
        }

        bundle.Size = size;
        bundle.SpillCost = cost;
        bundle.Weight = IsMinimal(bundle) ? float.PositiveInfinity : density / (size + 6);
    }

    /// <summary>Cost of writing the slot of a register at its definition.</summary>
    public float StoreCost(int register)
    {
        if (liveness.Rematerialization[register] is null)
        {
            foreach (Occurrence occurrence in liveness.OccurrencesOf(register))
            {
                if (occurrence.IsDef)
                {
                    return liveness.Frequency(occurrence.Instruction);
                }
            }
        }

        return 0;
    }

    /// <summary>Cost of having some ranges, from an index on, in no register.</summary>
    public float LoadCost(List<LiveRange> ranges, int start)
    {
        float cost = 0;
        float density = 0;
        for (int index = start; index < ranges.Count; index++)
        {
            Measure(ranges[index], ref cost, ref density);
        }

        return cost;
    }

    /// <summary>A def or a use of one instruction: it must have a GPR.</summary>
    private static bool IsMinimal(Bundle bundle)
    {
        LiveRange range = bundle.Ranges[0];
        return bundle.Ranges.Length == 1 && range.From != ProgramPoint.Gap(ProgramPoint.Instruction(range.From))
            && ProgramPoint.Instruction(range.To - 1) == ProgramPoint.Instruction(range.From);
    }

    private void Measure(in LiveRange range, ref float cost, ref float density)
    {
        MachineInstruction? rematerialization = liveness.Rematerialization[range.Register];
        float load = rematerialization is null ? 1 : RematerializationCost(rematerialization);
        float store = rematerialization is null ? 1 : 0;
        int previous = -1;
        if (frame.IsEntered(range))
        {
            cost += store * liveness.EntryFrequency;
            density += store * liveness.EntryFrequency * 0.5f;
        }

        foreach (Occurrence occurrence in liveness.OccurrencesIn(range))
        {
            int point = occurrence.FirstPoint;
            if (point < range.From || point >= range.To)
            {
                continue;
            }

            float frequency = liveness.Frequency(occurrence.Instruction);
            bool isReached = previous >= 0 && liveness.BlockOf[ProgramPoint.Instruction(previous)] == liveness.BlockOf[occurrence.Instruction]
                && liveness.CallsIn(previous, point + 1) == 0;
            switch (occurrence.Kind)
            {
                case OccurrenceKind.Def or OccurrenceKind.EarlyDef:
                    cost += store * frequency;
                    density += store * frequency;
                    previous = point;
                    break;
                case OccurrenceKind.FixedDef:
                    cost += store * frequency;
                    density += store * frequency * 0.5f;
                    previous = point;
                    break;
                case OccurrenceKind.Parameter:
                    cost += store * frequency;
                    density += store * frequency * 0.5f;
                    break;
                case OccurrenceKind.RegisterUse:
                    cost += isReached ? 0 : load * frequency;
                    density += load * frequency;
                    previous = point;
                    break;
                case OccurrenceKind.GapUse or OccurrenceKind.EdgeUse:
                    cost += isReached ? 0 : Math.Max(0, load - MoveCost) * frequency;
                    density += load * frequency * 0.5f;
                    break;
            }
        }
    }

    /// <summary>Instructions to compute it again, in loads. 64-bit constants and addresses take more than one.</summary>
    private static float RematerializationCost(MachineInstruction instruction) => instruction.Pseudo switch
    {
        MachinePseudo.LoadImmediate => instruction.Operands[1].Value switch
        {
            >= short.MinValue and <= short.MaxValue => InstructionCost,
            >= int.MinValue and <= uint.MaxValue => 2 * InstructionCost,
            _ => 4 * InstructionCost,
        },
        MachinePseudo.LoadLiteral or MachinePseudo.LoadExternAddress => 1 + InstructionCost,
        MachinePseudo.LoadAddress => 2 * InstructionCost,
        MachinePseudo.None or MachinePseudo.Copy or MachinePseudo.Arguments or MachinePseudo.CallExtern or MachinePseudo.CallLocal
            or MachinePseudo.CallIndirect or MachinePseudo.AtomicReadModifyWrite or MachinePseudo.AtomicCompareExchange or MachinePseudo.Jump
            or MachinePseudo.Branch or MachinePseudo.SetCount or MachinePseudo.BranchOnCount or MachinePseudo.Return
            or MachinePseudo.TailCallJump or MachinePseudo.Unreachable => InstructionCost,
    };
}

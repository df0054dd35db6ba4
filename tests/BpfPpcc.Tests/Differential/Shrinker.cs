using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>
/// Makes a failing unit small: slots become `goto +0` as long as the unit stays valid (the interpreter says so) and still goes wrong in the
/// same way (it compiles and misbehaves, or it does not compile). All candidates of a round go through one compilation and one link.
/// </summary>
public sealed class Shrinker(DifferentialTester tester)
{
    private const int CandidatesAtOnce = 250;
    private const long StepLimit = 500_000;

    /// <summary>The smallest form found, as a difference.</summary>
    public Difference Shrink(Difference difference)
    {
        TestUnit unit = difference.Unit;
        if (difference.Input >= 0)
            unit = unit.With(unit.Functions, [unit.Inputs[difference.Input]]);
        if (Failing([unit], difference).Count == 0)
            return difference;
        for (int size = int.MaxValue; Weight(unit) < size;)
        {
            size = Weight(unit);
            unit = RemoveSlots(unit, difference);
            unit = Simplify(unit, difference);
            unit = Keep(unit, WithoutNops(unit), difference);
            unit = Keep(unit, WithoutUnusedFunctions(unit), difference);
        }

        Difference? last = Failing([unit], difference).FirstOrDefault().Difference;
        return last ?? difference;
    }

    private static int Weight(TestUnit unit) => unit.Functions.Sum(static f => f.Slots.Count(static s => s != Slot.Nop));

    private TestUnit RemoveSlots(TestUnit unit, Difference difference)
    {
        for (int chunk = Math.Max(1, unit.SlotCount / 4); chunk >= 1; chunk /= 2)
        {
            int before;
            do
            {
                before = Weight(unit);
                var edits = new List<Func<TestUnit, TestUnit>>();
                for (int f = 0; f < unit.Functions.Count; f++)
                {
                    for (int from = 0; from < unit.Functions[f].Slots.Count; from += chunk)
                    {
                        (int function, int start, int end) = (f, from, from + chunk);
                        if (Weight(WithNops(unit, f, start, end)) < before)
                            edits.Add(u => WithNops(u, function, start, end));
                    }
                }

                unit = Apply(unit, edits, difference);
            }
            while (Weight(unit) < before);
        }

        return unit;
    }

    /// <summary>Jumps always go or never; calls and loads give 1; immediates are 0 or 1.</summary>
    private TestUnit Simplify(TestUnit unit, Difference difference)
    {
        var edits = new List<Func<TestUnit, TestUnit>>();
        for (int f = 0; f < unit.Functions.Count; f++)
        {
            for (int i = 0; i < unit.Functions[f].Slots.Count; i++)
            {
                foreach (Slot simpler in SimplerThan(unit.Functions[f].Slots[i]))
                {
                    (int function, int at, Slot slot) = (f, i, simpler);
                    edits.Add(u => WithSlot(u, function, at, slot));
                }
            }
        }

        return Apply(unit, edits, difference);
    }

    private static IEnumerable<Slot> SimplerThan(Slot slot)
    {
        int kind = slot.Opcode & 7;
        if (slot.IsJump && !slot.IsUnconditionalJump)
            yield return Slot.Goto(slot.JumpOffset);
        if (slot.Opcode is 0x85 or 0x8d)
            yield return Slot.MovImm(0, 1);
        if (kind == 1)
            yield return Slot.MovImm(slot.Dst, 1);
        if (kind is 4 or 7 && (slot.Opcode & 8) == 0 && slot.Opcode >> 4 is not (0xd or 0x8) && slot.Imm is not (0 or 1))
        {
            yield return slot with { Imm = 0 };
            yield return slot with { Imm = 1 };
        }
    }

    // Each edit that alone leaves the fault is one that most often does so together with the others too.
    private TestUnit Apply(TestUnit unit, List<Func<TestUnit, TestUnit>> edits, Difference difference)
    {
        List<int> harmless = [.. Failing([.. edits.Select(edit => edit(unit))], difference).Select(static f => f.Index)];
        for (int take = harmless.Count; take >= 1; take = take == 1 ? 0 : take / 2)
        {
            TestUnit combined = unit;
            foreach (int index in harmless.Take(take))
                combined = edits[index](combined);
            if (Failing([combined], difference).Count > 0)
                return combined;
        }

        return unit;
    }

    private TestUnit Keep(TestUnit unit, TestUnit candidate, Difference difference) =>
        candidate.SlotCount < unit.SlotCount && Failing([candidate], difference).Count > 0 ? candidate : unit;

    /// <summary>Which candidates are valid and go wrong as the original does.</summary>
    private List<(int Index, Difference Difference)> Failing(IReadOnlyList<TestUnit> candidates, Difference original)
    {
        var failing = new List<(int, Difference)>();
        for (int start = 0; start < candidates.Count; start += CandidatesAtOnce)
        {
            var units = new List<TestUnit>();
            var indices = new List<int>();
            for (int i = start; i < Math.Min(candidates.Count, start + CandidatesAtOnce); i++)
            {
                if (!IsValid(candidates[i]))
                    continue;
                units.Add(candidates[i]);
                indices.Add(i);
            }

            foreach (Difference found in tester.Test(units, original.OptimizationLevel))
            {
                int at = units.IndexOf(found.Unit);
                if (IsAlike(found, original) && !failing.Exists(f => f.Item1 == indices[at]))
                    failing.Add((indices[at], found));
            }
        }

        return failing;
    }

    // Errors carry positions and numbers; the first words say which error it is. Wrong results are all alike, and no crashes.
    private static bool IsAlike(Difference a, Difference b)
    {
        if (a.Input < 0 != b.Input < 0)
            return false;
        if (a.Input < 0)
            return a.Description.AsSpan().CommonPrefixLength(b.Description) >= Math.Min(20, b.Description.Length);
        return a.Actual is null == b.Actual is null && (a.Actual is not null || a.Description == b.Description);
    }

    private static bool IsValid(TestUnit unit)
    {
        try
        {
            var interpreter = new UnitInterpreter(unit) { StepLimit = StepLimit };
            // An address in the result would differ between machines without any fault of the compiler.
            return unit.Inputs.All(input => interpreter.Run(input).Agrees(interpreter.Run(input, slide: 0x0765_4320)));
        }
        catch (BpfFaultException)
        {
            return false;
        }
    }

    // ---- edits

    private static TestUnit WithFunction(TestUnit unit, int index, IReadOnlyList<Slot> slots, IReadOnlyList<SlotReference> references)
    {
        TestFunction[] functions = [.. unit.Functions];
        functions[index] = new TestFunction { Name = functions[index].Name, Place = functions[index].Place, Slots = slots, References = references };
        return unit.With(functions);
    }

    private static TestUnit WithSlot(TestUnit unit, int function, int index, Slot slot)
    {
        Slot[] slots = [.. unit.Functions[function].Slots];
        slots[index] = slot;
        return WithFunction(unit, function, slots, [.. unit.Functions[function].References.Where(r => r.Slot != index)]);
    }

    /// <summary>Slots of a range become nops, but those that end the function or may not be jumped over.</summary>
    private static TestUnit WithNops(TestUnit unit, int function, int from, int to)
    {
        TestFunction old = unit.Functions[function];
        Slot[] slots = [.. old.Slots];
        var references = new List<SlotReference>(old.References);
        for (int i = from; i < Math.Min(to, slots.Length - 1); i++)
        {
            if (slots[i].IsExit || slots[i].Opcode == 0)
                continue;
            int at = i;
            if (slots[i].IsLoadImmediate64)
                slots[i + 1] = Slot.Nop;
            slots[i] = Slot.Nop;
            references.RemoveAll(r => r.Slot == at);
        }

        return WithFunction(unit, function, slots, references);
    }

    /// <summary>Slots that do nothing or are never reached go, and jumps reach over less.</summary>
    private static TestUnit WithoutNops(TestUnit unit)
    {
        TestFunction[] functions = [.. unit.Functions.Select(WithoutNops)];
        return unit.With(functions);
    }

    private static TestFunction WithoutNops(TestFunction function)
    {
        IReadOnlyList<Slot> slots = function.Slots;
        bool[] isReached = Reached(slots);
        var newIndex = new int[slots.Count + 1];
        var kept = new List<Slot>();
        var origins = new List<int>();
        for (int i = 0; i < slots.Count; i++)
        {
            newIndex[i] = kept.Count;
            if (slots[i] == Slot.Nop || !isReached[i])
                continue;
            origins.Add(i);
            kept.Add(slots[i]);
        }

        newIndex[slots.Count] = kept.Count;
        for (int i = 0; i < kept.Count; i++)
        {
            if (kept[i].IsJump)
                kept[i] = kept[i].WithJumpOffset(newIndex[origins[i] + 1 + kept[i].JumpOffset] - i - 1);
        }

        return new TestFunction
        {
            Name = function.Name,
            Place = function.Place,
            Slots = kept,
            References = [.. function.References.Where(r => isReached[r.Slot]).Select(r => r with { Slot = newIndex[r.Slot] })],
        };
    }

    private static bool[] Reached(IReadOnlyList<Slot> slots)
    {
        var isReached = new bool[slots.Count];
        var work = new Stack<int>([0]);
        while (work.TryPop(out int i))
        {
            if (i >= slots.Count || isReached[i])
                continue;
            isReached[i] = true;
            Slot slot = slots[i];
            if (slot.IsJump)
                work.Push(i + 1 + slot.JumpOffset);
            if (!slot.IsExit && !slot.IsUnconditionalJump)
                work.Push(i + 1);
        }

        return isReached;
    }

    private static TestUnit WithoutUnusedFunctions(TestUnit unit)
    {
        var isUsed = new bool[unit.Functions.Count];
        var work = new Stack<int>([unit.Entry]);
        while (work.TryPop(out int f))
        {
            if (isUsed[f])
                continue;
            isUsed[f] = true;
            foreach (SlotReference reference in unit.Functions[f].References)
            {
                if (reference.Kind is SlotReferenceKind.FunctionCall or SlotReferenceKind.FunctionAddress)
                    work.Push(reference.Target);
                else if (reference.Kind == SlotReferenceKind.Map && unit.Maps[reference.Target].Programs is { } programs)
                    programs.Where(static p => p >= 0).ToList().ForEach(work.Push);
            }
        }

        int[] newIndex = [.. Enumerable.Range(0, isUsed.Length).Select(i => isUsed.Take(i).Count(static used => used))];
        TestFunction[] functions =
        [
            .. unit.Functions.Index().Where(f => isUsed[f.Index]).Select(f => new TestFunction
            {
                Name = f.Item.Name,
                Place = f.Item.Place,
                Slots = f.Item.Slots,
                References =
                [
                    .. f.Item.References.Select(r =>
                        r.Kind is SlotReferenceKind.FunctionCall or SlotReferenceKind.FunctionAddress ? r with { Target = newIndex[r.Target] } : r),
                ],
            }),
        ];
        TestMap[] maps =
        [
            .. unit.Maps.Select(m => m.Programs is null ? m : new TestMap
            {
                Name = m.Name,
                ValueSize = m.ValueSize,
                MaxEntries = m.MaxEntries,
                Programs = [.. m.Programs.Select(p => p >= 0 && isUsed[p] ? newIndex[p] : -1)],
            }),
        ];
        return unit.With(functions, maps: maps, entry: newIndex[unit.Entry]);
    }
}

namespace BpfPpcc.RegisterAllocation;

/// <summary>How far a bundle has been cut up; each step makes smaller pieces.</summary>
internal enum BundleStage : byte
{
    /// <summary>All ranges of one or several registers.</summary>
    Whole,

    /// <summary>The part of one register that lies in a run of hot blocks; elsewhere it is spilled.</summary>
    HotRun,

    /// <summary>Neighbouring uses in one block with no call in between.</summary>
    Cluster,
}

/// <summary>Live ranges that get one GPR together, or are cut up.</summary>
internal sealed class Bundle(int id, BundleStage stage, LiveRange[] ranges)
{
    /// <summary>Order of creation, which makes the queue's order total.</summary>
    public int Id { get; } = id;

    public BundleStage Stage { get; } = stage;

    /// <summary>Ascending, disjoint, never empty.</summary>
    public LiveRange[] Ranges { get; } = ranges;

    /// <summary>Only blocks that run more often than this are in it.</summary>
    public float FrequencyFloor { get; init; }

    /// <summary>Cost of spilling per point covered: the heavier evicts the lighter. Infinite if it cannot be cut.</summary>
    public float Weight { get; set; }

    /// <summary>Loads and stores per call of the function, by frequency, that spilling it would add.</summary>
    public float SpillCost { get; set; }

    /// <summary>Points covered.</summary>
    public int Size { get; set; }

    public bool CrossesCall { get; set; }

    /// <summary>All of it is where the frame is set up anyway, so that a callee-saved register costs nothing but its save.</summary>
    public bool IsInFrame { get; set; }

    /// <summary>The GPR that it holds at present, or -1.</summary>
    public int Gpr { get; set; } = -1;

    public int Evictions { get; set; }

    public bool IsMinimal => float.IsPositiveInfinity(Weight);
}

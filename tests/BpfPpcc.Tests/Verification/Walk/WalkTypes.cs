using BpfPpcc.Btf;
using BpfPpcc.Loading;

namespace BpfPpcc.Tests.Verification.Walk;

/// <summary>
/// The types that the test programs have: structs for map values (a map called as a struct has it as its value), global functions called
/// g_*, and a kernel with a few objects, hooks and kernel functions.
/// </summary>
internal static class WalkTypes
{
    private static readonly (BtfTypes Types, Dictionary<string, uint> Structs) Own = MakeOwn();
    private static readonly BtfTypes Kernel = MakeKernel();

    public static BpfModule AddTo(BpfModule module) => module with
    {
        Btf = Own.Types,
        TargetBtf = Kernel,
        Maps = [.. module.Maps.Select(static map => map with { BtfValueType = Own.Structs.GetValueOrDefault(map.Name) })],
    };

    private static (BtfTypes, Dictionary<string, uint>) MakeOwn()
    {
        const int Global = 1;
        var btf = new BtfBytes();
        uint integer = btf.Int("int", 4);
        uint wide = btf.Int("unsigned long", 8);
        uint context = btf.Struct("xdp_md", 24, ("data", integer, 0));
        uint pair = btf.Struct("pair", 8, ("a", integer, 0), ("b", integer, 4));
        uint spinLock = btf.Struct("bpf_spin_lock", 4, ("val", integer, 0));
        uint timer = btf.Struct("bpf_timer", 16, ("a", wide, 0), ("b", wide, 8));
        uint task = btf.Struct("task_struct", 0);
        uint dynptr = btf.Struct("bpf_dynptr", 16, ("a", wide, 0), ("b", wide, 8));
        var structs = new Dictionary<string, uint>
        {
            ["locked"] = btf.Struct("locked", 8, ("lock", spinLock, 0), ("value", integer, 4)),
            ["timed"] = btf.Struct("timed", 16, ("timer", timer, 0)),
            ["holder"] = btf.Struct(
                "holder", 16, ("task", btf.Pointer(btf.TypeTag("kptr", task)), 0), ("seen", btf.Pointer(btf.TypeTag("kptr_untrusted", task)), 8)),
        };
        btf.Function("g_number", btf.Prototype(integer, ("n", integer)), Global);
        btf.Function("g_void", btf.Prototype(0), Global);
        btf.Function("g_context", btf.Prototype(integer, ("ctx", btf.Pointer(context))), Global);
        btf.Function("g_pair", btf.Prototype(integer, ("p", btf.Pointer(pair))), Global);
        btf.Function("g_dynptr", btf.Prototype(integer, ("p", btf.Pointer(dynptr))), Global);
        btf.DeclTag("arg:nonnull", btf.Function("g_nonnull", btf.Prototype(integer, ("p", btf.Pointer(pair))), Global), 0);
        uint thrower = btf.Function("thrower", btf.Prototype(integer, ("ctx", btf.Pointer(context))), Global);
        btf.DeclTag("exception_callback:g_number", thrower, -1);
        uint wrongThrower = btf.Function("wrong_thrower", btf.Prototype(integer, ("ctx", btf.Pointer(context))), Global);
        btf.DeclTag("exception_callback:g_pair", wrongThrower, -1);
        return (btf.Parse(), structs);
    }

    private static BtfTypes MakeKernel()
    {
        var btf = new BtfBytes();
        uint integer = btf.Int("int", 4);
        uint wide = btf.Int("unsigned long", 8);
        uint self = btf.Next + 1;
        uint taskPointer = btf.Pointer(self);
        btf.Struct("task_struct", 16, ("pid", integer, 0), ("tgid", integer, 4), ("real_parent", taskPointer, 8));
        uint file = btf.Pointer(btf.Struct("file", 8, ("flags", wide, 0)));
        uint iterator = btf.Pointer(btf.Struct("bpf_iter_num", 8, ("opaque", wide, 0)));
        uint flags = btf.Pointer(wide);
        Hook("do_nothing", integer, ("n", integer), ("task", taskPointer));
        Hook("bpf_lsm_file_open", integer, ("file", file));
        btf.Typedef("btf_trace_task_newtask", btf.Pointer(btf.Prototype(0, ("data", btf.Pointer(0)), ("task", taskPointer), ("file", file))));
        foreach (string name in (string[])["bpf_rcu_read_lock", "bpf_rcu_read_unlock", "bpf_preempt_disable", "bpf_preempt_enable"])
            Hook(name, 0);
        Hook("bpf_local_irq_save", 0, ("flags__irq_flag", flags));
        Hook("bpf_local_irq_restore", 0, ("flags__irq_flag", flags));
        Hook("bpf_throw", 0, ("cookie", wide));
        Hook("bpf_task_acquire", taskPointer, ("p", taskPointer));
        Hook("bpf_task_release", 0, ("p", taskPointer));
        Hook("bpf_task_from_pid", taskPointer, ("pid", integer));
        Hook("bpf_iter_num_new", integer, ("it", iterator), ("start", integer), ("end", integer));
        Hook("bpf_iter_num_next", btf.Pointer(integer), ("it", iterator));
        Hook("bpf_iter_num_destroy", 0, ("it", iterator));
        return btf.Parse();

        void Hook(string name, uint result, params (string Name, uint Type)[] parameters) =>
            btf.Function(name, btf.Prototype(result, parameters), 1);
    }
}

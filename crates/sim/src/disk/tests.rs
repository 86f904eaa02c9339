use super::*;

fn disk() -> SimDisk {
    let mut disk = SimDisk::new(Random::new(1));
    disk.create(1, 4096).unwrap();
    disk
}

fn all(disk: &SimDisk) -> Vec<u8> {
    let mut bytes = vec![9; 4096];
    assert_eq!(disk.read(1, 0, &mut bytes), Ok(4096));
    bytes
}

#[test]
fn a_new_segment_is_zero_and_reads_end_at_its_end() {
    let disk = disk();
    assert_eq!(all(&disk), vec![0; 4096]);
    let mut bytes = [1; 8];
    assert_eq!(disk.read(1, 4092, &mut bytes), Ok(4));
    assert_eq!(disk.read(1, 5000, &mut bytes), Ok(0));
    assert!(disk.read(2, 0, &mut bytes).is_err());
}

#[test]
fn synced_writes_survive_and_unsynced_ones_only_as_the_survivors_say() {
    for survivors in SURVIVORS {
        let mut disk = disk();
        disk.write(1, 0, &[1; 1024]).unwrap();
        disk.sync(1).unwrap();
        disk.write(1, 1024, &[2; 1024]).unwrap();
        disk.cut_power();
        assert!(disk.list().is_err());
        disk.restart(survivors);
        let bytes = all(&disk);
        assert_eq!(bytes[..1024], [1; 1024]);
        for sector in bytes[1024..2048].chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is whole or not there");
        }
        match survivors {
            Survivors::None => assert_eq!(bytes[1024..2048], [0; 1024]),
            Survivors::All => assert_eq!(bytes[1024..2048], [2; 1024]),
            Survivors::Prefix | Survivors::Each(_) | Survivors::AllButOne => {}
        }
    }
}

#[test]
fn later_writes_may_survive_without_earlier_ones() {
    let mut overtaken = false;
    for seed in 0..50 {
        let mut disk = SimDisk::new(Random::new(seed));
        disk.create(1, 4096).unwrap();
        disk.write(1, 0, &[1; 512]).unwrap();
        disk.write(1, 512, &[2; 512]).unwrap();
        disk.cut_power();
        disk.restart(Survivors::Each(50));
        let bytes = all(&disk);
        overtaken |= bytes[0] == 0 && bytes[512] == 2;
    }
    assert!(overtaken);
}

#[test]
fn a_planned_power_cut_strikes_its_operation_and_stays() {
    let mut disk = disk();
    disk.plan(3, Fault::PowerCut(Moment::Before));
    disk.write(1, 0, &[1; 512]).unwrap();
    assert!(disk.sync(1).is_err());
    assert!(disk.is_off());
    assert!(disk.write(1, 0, &[2; 512]).is_err());
    disk.restart(Survivors::None);
    assert_eq!(all(&disk), vec![0; 4096]);
    assert_eq!(disk.violation(), None);
}

#[test]
fn an_error_is_final_and_using_the_disk_again_is_noticed() {
    let mut disk = disk();
    disk.plan(3, Fault::InputOutput);
    disk.write(1, 0, &[1; 512]).unwrap();
    assert!(disk.sync(1).is_err());
    assert_eq!(disk.violation(), None);
    assert!(disk.write(1, 512, &[1; 512]).is_err());
    assert!(disk.violation().is_some());
}

#[test]
fn no_space_leaves_nothing() {
    let mut disk = disk();
    disk.plan(2, Fault::Full);
    assert_eq!(disk.write(1, 0, &[1; 512]), Err(DiskError::Full));
    assert_eq!(all(&disk), vec![0; 4096]);
}

#[test]
fn deletion_and_creation_are_durable_when_they_return() {
    let mut disk = disk();
    disk.create(2, 512).unwrap();
    disk.delete(1).unwrap();
    disk.cut_power();
    disk.restart(Survivors::None);
    assert_eq!(disk.list().unwrap(), vec![2]);
}

#[test]
fn a_flipped_bit_is_read_back_flipped() {
    let mut disk = disk();
    disk.write(1, 0, &[0xff; 16]).unwrap();
    disk.sync(1).unwrap();
    disk.flip_bit(1, 3, 0);
    assert_eq!(all(&disk)[..5], [0xff, 0xff, 0xff, 0xfe, 0xff]);
}
